"""Ten awkward ``.env`` files, made at run time because their values are canaries."""

from __future__ import annotations

from dataclasses import dataclass

from tests.secrets.canaries import plain_canary


@dataclass(frozen=True)
class Awkward:
    """A file, the values in it that must move, and lines that must survive byte for byte."""

    content: bytes
    values: tuple[str, ...]
    survives: tuple[bytes, ...]


def awkward_files() -> dict[str, Awkward]:
    """Make the ten, each with values of its own."""
    makers = (
        _quoted_and_exported,
        _windows,
        _mixed_line_ends,
        _marked_and_unfinished,
        _several_lines,
        _duplicates,
        _put_together,
        _database_in_parts,
        _database_as_url,
        _broken_and_foreign,
    )
    return {maker.__name__.strip("_"): maker() for maker in makers}


def _quoted_and_exported() -> Awkward:
    one, two = plain_canary(), plain_canary()
    text = (
        "# The studio's keys\n\n"
        f'export ANTHROPIC_API_KEY="{one} with \'quotes\' \\" and \\\\"   # rotate in May\n'
        f"  OPENAI_API_KEY  =  'it\\'s {two} # no comment'\n"
        "UNKNOWN='stay'   \n\n\n"
    )
    survives = (
        b"# The studio's keys\n\n",
        b"   # rotate in May\n",
        b"UNKNOWN='stay'   \n\n\n",
        b"  OPENAI_API_KEY  =  '",
    )
    return Awkward(text.encode(), (one, two), survives)


def _windows() -> Awkward:
    one, two = plain_canary(), plain_canary()
    text = f'# CRLF\r\nANTHROPIC_API_KEY={one}\r\nOPENAI_API_KEY="{two}"\r\nCOMFYUI_PORT=8188\r\n'
    return Awkward(
        text.encode(), (one, two), (b"# CRLF\r\n", b"\r\nOPENAI_API_KEY=", b"\r\nCOMFYUI_PORT=8188\r\n")
    )


def _mixed_line_ends() -> Awkward:
    one = plain_canary()
    text = f"A=1\r\nB=2\nC=3\rANTHROPIC_API_KEY='{one}'\r\n\n\r\nD=4\n\r"
    return Awkward(text.encode(), (one,), (b"A=1\r\nB=2\nC=3\r", b"\r\n\n\r\nD=4\n\r"))


def _marked_and_unfinished() -> Awkward:
    one = plain_canary()
    return Awkward(f"\ufeffOPENAI_API_KEY={one}".encode(), (one,), (b"\xef\xbb\xbfOPENAI_API_KEY=",))


def _several_lines() -> Awkward:
    one, two = plain_canary(), plain_canary()
    text = (
        'NOTE="first\nsecond # no comment\n\tthird"\n'
        f'ANTHROPIC_API_KEY="{one}\n  {two}\n"  # two lines\n'
        "OTHER='also\nlong'\n"
    )
    return Awkward(
        text.encode(), (one, two), (b'NOTE="first\nsecond # no comment\n\tthird"\n', b"  # two lines\n")
    )


def _duplicates() -> Awkward:
    one, two = plain_canary(), plain_canary()
    twice = f"ANTHROPIC_API_KEY={one}\nANTHROPIC_API_KEY='{one}'\n"
    text = f"ANTHROPIC_API_KEY=old\nX=1\nX=2\n{twice}OPENAI_API_KEY={two}\n"
    return Awkward(text.encode(), (one, two), (b"ANTHROPIC_API_KEY=old\nX=1\nX=2\n",))


def _put_together() -> Awkward:
    one, two = plain_canary(), plain_canary()
    text = (
        f"ANTHROPIC_API_KEY={one}\nDB_USER=ziggie\nDB_PASSWORD={two}\n"
        "DATABASE_URL=postgres://${DB_USER}:${DB_PASSWORD}@${DB_HOST:-localhost}/ziggie\n"
        'HEADER="x-api-key: ${ANTHROPIC_API_KEY}"\n'
    )
    return Awkward(text.encode(), (one, two), (text.split("\n", 3)[3].encode(),))


def _database_in_parts() -> Awkward:
    one = plain_canary()
    text = (
        "POSTGRES_USER=ziggie\nPOSTGRES_DB = 'ziggie'\nPOSTGRES_PORT=5432 # usual\n"
        f'POSTGRES_HOST=db.ziggie.cloud\nexport POSTGRES_PASSWORD="{one}$HOME`x` #"\nREDIS_HOST=localhost\n'
    )
    return Awkward(text.encode(), (one,), (b"POSTGRES_DB = '", b" # usual\n", b"\nREDIS_HOST=localhost\n"))


def _database_as_url() -> Awkward:
    one = plain_canary()
    rest = "@db.ziggie.cloud:6432/ziggie%20prod?sslmode=require&options=-c%20search_path%3Dx"
    text = (
        f"DATABASE_URL='postgresql+asyncpg://zig%40gie:{one}%2F%3A!{rest}' # pooled\nSECRET_OF_OTHERS=stay\n"
    )
    return Awkward(text.encode(), (one,), (rest.encode(), b"' # pooled\nSECRET_OF_OTHERS=stay\n"))


def _broken_and_foreign() -> Awkward:
    one = plain_canary()
    text = b"caf\xe9=latin\n=nothing\n\xff\xfe\x00 no key\nEMPTY=\nNO_VALUE\n'QUOTED KEY'=1\n:: broken \"\n"
    return Awkward(
        text + f"OPENAI_API_KEY={one}\n".encode() + b"TAIL=\xe9\xff", (one,), (text, b"\nTAIL=\xe9\xff")
    )
