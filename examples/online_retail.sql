-- A year of a wholesaler's invoices, with credit notes: orders, and the refunds that can be traced to one.
--
-- Fits "Online Retail II" of the UCI Machine Learning Repository (data set 502, Chen 2019, CC BY 4.0): the sheet
-- "Year 2009-2010" of its workbook, saved as year_2009_2010.csv or .parquet with the columns Invoice, StockCode,
-- Description, Quantity, InvoiceDate, Price, Customer ID and Country. 525,461 lines give 20,951 orders and 4,283
-- refunds.
--
-- Assumed: the clock is London's; prices are pounds, rounded to pence on each line; the one seller is called
-- `retailer`; an invoice is paid at the moment of its last line (41 invoices span two minutes).
--
-- An order is an invoice that is no credit note (C…) and no bad-debt adjustment (A…, 3 lines), with a total above
-- zero: 3,270 invoices of stock corrections and gifts have none. Postage, fees and discounts count in the amount
-- but are never the product: a product's code has four digits in a row. 367 orders have no such line and so no
-- product, 1,738 no customer.
--
-- A credit note doesn't say which order it gives back. Each of its lines goes to the customer's latest earlier
-- order whose line with the same code is worth at least as much: 7,982 of 10,206 lines, 285 of 630 thousand pounds,
-- summed by order and moment. Left out are 367 lines without a customer and 1,857 with no such order: bought before
-- the data begin, or a manual correction. 28 orders get back more than they cost, through several notes.

CREATE VIEW lines AS
SELECT
    Invoice AS invoice,
    upper(trim(StockCode)) AS code,
    regexp_matches(StockCode, '[0-9]{4}') AS product,
    Quantity AS units,
    CAST(round(100 * Quantity * Price) AS BIGINT) AS pence,
    CAST(InvoiceDate AS TIMESTAMP) AT TIME ZONE 'Europe/London' AS written_at,
    CAST(CAST("Customer ID" AS BIGINT) AS VARCHAR) AS customer,
    nullif(Country, 'Unspecified') AS country
FROM source.year_2009_2010;

CREATE VIEW sales AS
SELECT invoice, customer, country, code, product, sum(units) AS units, sum(pence) AS pence, max(written_at) AS written_at
FROM lines
WHERE NOT starts_with(invoice, 'C') AND NOT starts_with(invoice, 'A')
GROUP BY invoice, customer, country, code, product;

CREATE VIEW orders AS
SELECT
    invoice AS order_id,
    max(written_at) AS "at",
    customer AS buyer_id,
    'retailer' AS seller_id,
    sum(pence) AS amount,
    max_by(code, (pence, code)) FILTER (product) AS product_id,
    sum(units) FILTER (product AND units > 0) AS quantity,
    country AS region,
    country AS ship_country
FROM sales
GROUP BY invoice, customer, country
HAVING amount > 0;

CREATE VIEW credits AS
SELECT invoice, customer, code, written_at, -sum(pence) AS pence
FROM lines
WHERE starts_with(invoice, 'C') AND units < 0 AND customer IS NOT NULL
GROUP BY invoice, customer, code, written_at;

CREATE VIEW traced AS
SELECT max_by(order_id, (orders."at", order_id)) AS order_id, credits.written_at, credits.pence
FROM credits
JOIN sales USING (customer, code)
JOIN orders ON order_id = sales.invoice
WHERE orders."at" < credits.written_at AND sales.pence >= credits.pence
GROUP BY credits.invoice, code, credits.written_at, credits.pence;

CREATE VIEW refunds AS
SELECT order_id, written_at AS "at", sum(pence) AS amount, 'seller' AS funded_by
FROM traced
GROUP BY order_id, written_at;
