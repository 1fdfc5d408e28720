"""What every test shares."""

from hypothesis import settings

# Compiling a kernel outlasts any deadline. On CI the parent profile already draws the same examples every time.
settings.register_profile("redress", deadline=None)
settings.load_profile("redress")
