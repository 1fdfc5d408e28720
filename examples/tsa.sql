-- Claims against an airport authority for lost and damaged property, and how they were decided.
--
-- Fits the claims data of the US Transportation Security Administration (tsa.gov and dhs.gov, a US government
-- work): the files of 2007 to 2012 put together as claims.csv or .parquet with the columns Claim Number, Airport
-- Code, Airline Name, Claim Type, Claim Site and Item Category as published, the dates as received and incident,
-- and claim_amount, close_amount (dollars) and disposition. 79,811 claims give as many orders and disputes, 73,818
-- shipments and 72,677 rulings.
--
-- Assumed: the clock is UTC. There are no orders behind the claims, so each claim has one, a microsecond before it
-- was received: the airport is its seller (unknown for 723), the list of items as written its product, the claim's
-- site its channel, and a shipment at the same moment says the airline. Buyer and amount are unknown. There are no
-- listings, as no item has one seller. The data say how a claim ended, not when: it counts as known 120 days after
-- it was received.
--
-- A dash or a blank is unknown. Reasons: lost or stolen property is `not_received`, damaged `damaged`, a complaint
-- `service`, any other type (injury, motor vehicle …) `other`; 409 have none. Amounts claimed are kept however
-- large, up to the ledger's limit: one claim of three million million dollars becomes unknown; none are negative,
-- and none are known after 2009. The incident is `happened_at` where it lies between 1970 and the claim; of the
-- rest 97 have no date, 95 one before 1970, 612 one after the claim and 252 the claim's own. 7,134 claims without a
-- disposition have no ruling.

CREATE MACRO said(word) AS nullif(nullif(trim(word), '-'), '');

CREATE VIEW claims AS
SELECT
    CAST("Claim Number" AS VARCHAR) AS claim_id,
    CAST(received AS TIMESTAMP) AT TIME ZONE 'UTC' AS received_at,
    received_at - INTERVAL 1 MICROSECOND AS ordered_at,
    CAST(incident AS TIMESTAMP) AT TIME ZONE 'UTC' AS incident_at,
    said("Airport Code") AS airport,
    said("Airline Name") AS airline,
    said("Claim Type") AS claim_type,
    said("Claim Site") AS site,
    said("Item Category") AS item,
    CASE WHEN claim_amount <= 1e12 THEN CAST(round(100 * claim_amount) AS BIGINT) END AS claimed,
    CAST(round(100 * close_amount) AS BIGINT) AS paid,
    said(disposition) AS disposition
FROM source.claims;

CREATE VIEW orders AS
SELECT
    claim_id AS order_id,
    ordered_at AS "at",
    NULL AS buyer_id,
    airport AS seller_id,
    NULL AS amount,
    item AS product_id,
    site AS channel
FROM claims;

CREATE VIEW shipments AS
SELECT claim_id AS order_id, ordered_at AS "at", airline AS carrier
FROM claims
WHERE airline IS NOT NULL;

CREATE VIEW disputes AS
SELECT
    claim_id AS dispute_id,
    received_at AS "at",
    claim_id AS order_id,
    CASE
        WHEN claim_type IN ('Passenger Property Loss', 'Passenger Theft') THEN 'not_received'
        WHEN claim_type = 'Property Damage' THEN 'damaged'
        WHEN claim_type = 'Complaint' THEN 'service'
        WHEN claim_type IS NOT NULL THEN 'other'
    END AS reason,
    claimed,
    CASE WHEN incident_at >= '1970-01-01' AND incident_at < received_at THEN incident_at END AS happened_at
FROM claims;

CREATE VIEW rulings AS
SELECT
    claim_id AS dispute_id,
    received_at + INTERVAL 120 DAY AS "at",
    CASE disposition WHEN 'Deny' THEN 'refused' WHEN 'Approve in Full' THEN 'refund_full' ELSE 'settled' END AS outcome,
    paid AS refunded
FROM claims
WHERE disposition IN ('Deny', 'Approve in Full', 'Settle');
