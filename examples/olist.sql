-- A Brazilian marketplace: orders, listings, hand-overs, deliveries, and bad reviews as complaints.
--
-- Fits "Brazilian E-Commerce Public Dataset by Olist" on Kaggle (olistbr/brazilian-ecommerce, CC BY-NC-SA 4.0), its
-- files saved under shorter names, as .csv or .parquet with their columns as they are: olist_orders_dataset as
-- orders, olist_order_items_dataset as order_items, olist_order_payments_dataset as order_payments,
-- olist_order_reviews_dataset as order_reviews, olist_customers_dataset as customers, olist_products_dataset as
-- products, and product_category_name_translation as category_translation. The counts below are those of a part of
-- it, 48,368 orders.
--
-- Assumed: clocks are those of Sao Paulo, and amounts are reais. An order is paid when it is approved, else when it
-- was purchased (8 delivered orders have no approval); the purchase is its `happened_at`. Left out are 146 orders
-- cancelled or created without ever being approved, and 1 without any time.
--
-- A basket with several sellers is one order for each, numbered by falling amount (466 baskets, 952 orders); the
-- product is the one that costs most, the amount price and freight, the quantity all items. Orders without items
-- (10,012) keep no seller and no product, and the sum of their payments as amount; 9,289 have no customer. 5,151
-- items have no order. `promised_at` is the end of the estimated day, `channel` the largest payment's type. The
-- prefix of a zip code is no address. A hand-over (541) or delivery (31) dated before the approval is known with
-- the order, its date as `happened_at`.
--
-- Nobody says when a listing went live: its versions begin with the first order at a new price or from a new
-- seller. Nobody says when an order was cancelled, so there are no cancellations (484 paid orders).
--
-- A review of one or two stars is a complaint, known when the customer answered (the earlier date is when they were
-- asked); of a basket with several sellers it concerns the largest order. 6,006 give 5,852 disputes: 65 have no
-- order, 82 one never paid, 5 were answered before the payment, and 2 repeat another.

CREATE MACRO clock(local) AS CAST(local AS TIMESTAMP) AT TIME ZONE 'America/Sao_Paulo';
CREATE MACRO cents(reais) AS CAST(round(100 * reais) AS BIGINT);

CREATE VIEW baskets AS
SELECT
    order_id AS basket_id,
    customer_id,
    clock(coalesce(order_approved_at, order_purchase_timestamp)) AS paid_at,
    clock(order_purchase_timestamp) AS purchased_at,
    clock(order_delivered_carrier_date) AS handed_over_at,
    clock(order_delivered_customer_date) AS delivered_at,
    clock(order_estimated_delivery_date + INTERVAL 1 DAY) AS promised_at
FROM source.orders
WHERE paid_at IS NOT NULL AND (order_approved_at IS NOT NULL OR order_status NOT IN ('canceled', 'created'));

CREATE VIEW payments AS
SELECT
    order_id AS basket_id,
    nullif(max_by(payment_type, (payment_value, -payment_sequential)), 'not_defined') AS channel,
    sum(cents(payment_value)) AS amount
FROM source.order_payments
GROUP BY order_id;

CREATE VIEW items AS
SELECT
    order_id AS basket_id,
    seller_id,
    product_id,
    sum(cents(price)) AS worth,
    sum(cents(price) + cents(freight_value)) AS amount,
    count(*) AS quantity
FROM source.order_items
GROUP BY order_id, seller_id, product_id;

CREATE VIEW parcels AS
SELECT
    basket_id,
    seller_id,
    max_by(product_id, (worth, product_id)) AS product_id,
    sum(items.amount) AS amount,
    sum(items.quantity) AS quantity,
    count(*) OVER (PARTITION BY basket_id) AS parcels,
    row_number() OVER (PARTITION BY basket_id ORDER BY sum(items.amount) DESC, seller_id) AS parcel
FROM items
GROUP BY basket_id, seller_id;

CREATE VIEW sold AS
SELECT
    basket_id || CASE WHEN parcels > 1 THEN '-' || parcel ELSE '' END AS order_id,
    coalesce(parcel, 1) AS parcel,
    seller_id,
    product_id,
    quantity,
    coalesce(parcels.amount, payments.amount) AS amount,
    channel,
    customer_unique_id AS buyer_id,
    customer_state AS region,
    baskets.*
FROM baskets
LEFT JOIN parcels USING (basket_id)
LEFT JOIN payments USING (basket_id)
LEFT JOIN source.customers USING (customer_id);

CREATE VIEW orders AS
SELECT
    order_id,
    paid_at AS "at",
    buyer_id,
    seller_id,
    amount,
    product_id,
    quantity,
    region,
    promised_at,
    channel,
    nullif(purchased_at, paid_at) AS happened_at
FROM sold;

CREATE VIEW shipments AS
SELECT
    order_id,
    greatest(handed_over_at, paid_at) AS "at",
    CASE WHEN handed_over_at < paid_at THEN handed_over_at END AS happened_at
FROM sold
WHERE handed_over_at IS NOT NULL;

CREATE VIEW scans AS
SELECT
    order_id,
    greatest(delivered_at, paid_at) AS "at",
    'delivered' AS kind,
    CASE WHEN delivered_at < paid_at THEN delivered_at END AS happened_at
FROM sold
WHERE delivered_at IS NOT NULL;

CREATE VIEW prices AS
SELECT product_id, seller_id, paid_at, max(cents(price)) AS price
FROM source.order_items
JOIN baskets ON basket_id = order_id
GROUP BY product_id, seller_id, paid_at
QUALIFY row_number() OVER (PARTITION BY product_id, paid_at ORDER BY seller_id) = 1;

CREATE VIEW versions AS
SELECT product_id, seller_id, paid_at, price
FROM prices
QUALIFY (seller_id, price) IS DISTINCT FROM lag((seller_id, price)) OVER (PARTITION BY product_id ORDER BY paid_at);

CREATE VIEW listings AS
SELECT
    product_id,
    seller_id,
    paid_at AS "at",
    coalesce(product_category_name_english, product_category_name) AS category,
    price,
    CAST(nullif(product_weight_g, 0) AS BIGINT) AS unit_weight
FROM versions
LEFT JOIN source.products USING (product_id)
LEFT JOIN source.category_translation USING (product_category_name);

CREATE VIEW disputes AS
SELECT
    coalesce(review_id || '-', '') || basket_id AS dispute_id,
    clock(min(review_answer_timestamp)) AS "at",
    sold.order_id,
    'other' AS reason,
    NULL AS claimed
FROM source.order_reviews AS reviews
JOIN sold ON basket_id = reviews.order_id AND parcel = 1
WHERE review_score <= 2 AND clock(review_answer_timestamp) >= paid_at
GROUP BY review_id, basket_id, sold.order_id;
