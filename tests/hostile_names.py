"""Names that mean something to whatever reads what is made of them: quotes, code, markup, orders to a terminal."""

from __future__ import annotations

import pytest

NAMES = {
    "quotes": """it's "quoted" '''thrice''' \"\"\"too\"\"\"""",
    "backslashes": "a\\Nb\\u0041\\",
    "end of line": "x\nimport os; os.system('touch pwned')",
    "carriage return": "good\rFrom: evil@example.com\r\n\r\nbody",
    "script": "</script></title><script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "SQL": "x'; DROP TABLE t; -- \" ` /*",
    "back-ticks": "a`; DROP TABLE t; --``b```",
    "shell": "$(touch pwned) `touch pwned` ; touch pwned | & > pwned",
    "a dash": "--target=/etc",
    "templates": "{{ 7 * 7 }} {% raw %} {0} {project!r} %s %(x)s ${jndi:ldap://x} #{x}",
    "an option of a file": "x\n[core]\nexecutor = evil\n",
    "directions": "txt.\u202eyp\u2066\u200b",
    "a terminal": "\x1b[2J\x1b]0;title\x07\x08\x08",
    "Markdown": "[click](http://evil.example) **b** # h\n- l\n```\nx",
    "Slack": "<!channel> <http://evil.example|Open the run> &amp; *b*",
    "a formula": '=HYPERLINK("http://evil.example")',
    "a path": "../../../../etc/passwd",
    "dots": "..",
    "long": "x" * 300,
}
ONE_LINE = {key: name for key, name in NAMES.items() if "\n" not in name}


def each(names: dict[str, str] = NAMES) -> pytest.MarkDecorator:
    """A test for each of the names."""
    return pytest.mark.parametrize("name", names.values(), ids=names)
