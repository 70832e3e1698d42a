-- How common a word is is counted in the index alone: whose an order is stands in it, too.
DROP INDEX order_word_found;
CREATE INDEX order_word_found ON order_word (tenant, word, order_ref, merchant);
