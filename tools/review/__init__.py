"""What a change means to who reviews it: which stacks it reaches, and what it does to each."""
