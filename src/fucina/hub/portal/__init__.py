"""The pages of the hub: parse, call one action or one read, render."""
