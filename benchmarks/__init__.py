"""What the project measures about itself: quality on public data, and speed and memory beside a peer."""
