"""What the readers of YAML differ in: PyYAML reads 1.1, kubectl and editors 1.2, Helm a mixture."""

import re

# Plain words that some reader takes for a number, a date, a truth or nothing.
AMBIGUOUS = re.compile(r"[-+.]?[0-9].*|y|n|yes|no|on|off|true|false|null|~", re.IGNORECASE)
# Line ends that only YAML 1.1 knows.
LINE_ENDS = re.compile("[\x85\u2028\u2029]")
