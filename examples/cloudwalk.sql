-- Card payments, and which of them were charged back.
--
-- Fits the sample of CloudWalk's public exercise for risk analysts (transactional-sample.csv; no licence is stated:
-- for your own evaluation only), saved as transactions.csv with the columns transaction_id, merchant_id, user_id,
-- card_number (masked), transaction_date, transaction_amount, device_id and has_cbk. 3,199 payments give 3,199
-- orders and 391 chargebacks.
--
-- Assumed: the clock is UTC. The data say whether a chargeback came, not when: it counts as known 3 days after the
-- payment, so ask with a horizon of 3 days. Two cards with the same first six and last four digits look like one.
-- The first six digits name the issuer. 830 payments have no device. Nothing is left out.

CREATE VIEW payments AS
SELECT
    CAST(transaction_id AS VARCHAR) AS order_id,
    CAST(transaction_date AS TIMESTAMP) AT TIME ZONE 'UTC' AS paid_at,
    CAST(round(100 * transaction_amount) AS BIGINT) AS amount,
    *
FROM source.transactions;

CREATE VIEW orders AS
SELECT
    order_id,
    paid_at AS "at",
    CAST(user_id AS VARCHAR) AS buyer_id,
    CAST(merchant_id AS VARCHAR) AS seller_id,
    amount,
    card_number AS instrument_id,
    left(card_number, 6) AS instrument_issuer,
    CAST(device_id AS VARCHAR) AS device_id
FROM payments;

CREATE VIEW chargebacks AS
SELECT order_id AS chargeback_id, paid_at + INTERVAL 3 DAY AS "at", order_id, amount
FROM payments
WHERE has_cbk;
