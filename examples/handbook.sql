-- Simulated card payments with frauds, for comparison with published results.
--
-- Fits the data of the "Reproducible Machine Learning for Credit Card Fraud Detection" handbook (Le Borgne et al.
-- 2022; text CC BY-SA 4.0, code GPL-3): the daily files of its simulated-data-raw repository put together as
-- transactions.csv or .parquet with the columns TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT
-- and TX_FRAUD. 1,236,698 payments from April to the first week of August 2018 give as many orders and 10,091
-- chargebacks.
--
-- Assumed: the clock is UTC, a terminal is a seller, and, as in the handbook's own protocol, a fraud is known 7
-- days after the payment: ask with a horizon of 7 days. 30 payments are of nothing and stay. Nothing is left out.

CREATE VIEW payments AS
SELECT
    CAST(TRANSACTION_ID AS VARCHAR) AS order_id,
    CAST(TX_DATETIME AS TIMESTAMP) AT TIME ZONE 'UTC' AS paid_at,
    CAST(CUSTOMER_ID AS VARCHAR) AS buyer_id,
    CAST(TERMINAL_ID AS VARCHAR) AS seller_id,
    CAST(round(100 * TX_AMOUNT) AS BIGINT) AS amount,
    TX_FRAUD = 1 AS fraud
FROM source.transactions;

CREATE VIEW orders AS
SELECT order_id, paid_at AS "at", buyer_id, seller_id, amount
FROM payments;

CREATE VIEW chargebacks AS
SELECT order_id AS chargeback_id, paid_at + INTERVAL 7 DAY AS "at", order_id, amount
FROM payments
WHERE fraud;
