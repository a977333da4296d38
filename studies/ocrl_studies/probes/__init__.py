"""The study of tokens: what can be read from them on layouts that were never seen."""
