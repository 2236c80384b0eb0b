"""Plain data and text, whatever they are about: two trees compared, a table printed."""
