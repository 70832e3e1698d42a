-- How common a word is is counted in the index alone: whose an order is stands in it, too.
DROP INDEX order_word_found;
CREATE INDEX order_word_found ON order_word (tenant, word, order_ref, merchant);

-- Orders of which a lost journal sent something, or may have, and nobody knows which of their goods.
CREATE INDEX effect_unclear ON effect (tenant, order_ref)
    WHERE kind = 'submit_request' AND recovery IN ('open', 'conflict', 'cannot_ask');
