"""What mkdocs does not do by itself: see `hooks` in mkdocs.yml.

- Pages may link to files of the project outside docs/. Markdown files become pages of the site, all others are copied
  and shown as text. A file that is not there is a warning, and `--strict` makes that an error.
- dbt's own page is copied in from target/static_index.html.
- The theme's script names two helpers on a server elsewhere, for diagrams and old browsers; no page needs them, and the
  addresses are taken out.
- Formulas in ```math blocks become MathML, which browsers draw without a script.
- The table rows of tuning.md get each var's default and meaning from dbt_project.yml.
"""

import html
import logging
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
log = logging.getLogger("mkdocs.hooks.pages")

#: Markdown files of the project that are pages of the site, under the same path.
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/online_retail_ii/README.md")
DBT_PAGE = ROOT / "target" / "static_index.html"
LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
MATH = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SYMBOL = re.compile(r"(?<![\\w`$])\$([^$`\n]+)\$(?![\\w`$])")
FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEAD = "| var | change it when |\n| --- | --- |"
LONG_HEAD = "| var | default | meaning | change it when |\n| --- | --- | --- | --- |"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<advice>.*) \|$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and the page of dbt."""
    for name in PAGES:
        files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    if DBT_PAGE.exists():
        files.append(File.generated(config, "dbt_docs.html", abs_src_path=str(DBT_PAGE)))
    else:
        log.warning("target/static_index.html is missing; `make docs` writes it first")
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Resolve links that leave docs/, draw formulas, fill in the vars."""
    source = page.file.src_uri
    if source == "tuning.md":
        markdown = ROW.sub(_with_default, markdown).replace(HEAD, LONG_HEAD)
    if source not in PAGES:
        markdown = MATH.sub(lambda found: _formula(found[1]), markdown)
        markdown = _outside_fences(
            markdown, lambda text: SYMBOL.sub(lambda found: f"<span>{convert(found[1])}</span>", text)
        )
    folder = posixpath.dirname(source)
    is_outside = source in PAGES

    def resolved(found: re.Match[str]) -> str:
        target, anchor = found["target"], found["anchor"] or ""
        if ":" in target:
            return found[0]
        # Where the file lies in the project, whether the page was written in docs/ or above it.
        path = posixpath.normpath(posixpath.join(folder if is_outside else posixpath.join("docs", folder), target))
        if path.startswith("docs/"):
            wanted = path.removeprefix("docs/")
        elif path == "README.md":
            wanted = "index.md"
        elif path in PAGES:
            wanted = path
        elif (ROOT / path).is_file():
            wanted = _copied(path, config, files)
        else:
            log.warning("%s links to %s, which is not there", source, target)
            return found[0]
        return f"{found['before']}{posixpath.relpath(wanted, folder or '.')}{anchor})"

    return _outside_fences(markdown, lambda text: LINK.sub(resolved, text))


def on_post_build(config: MkDocsConfig) -> None:
    """Take the addresses of other servers out of the theme's script."""
    for script in Path(config.site_dir, "assets", "javascripts").glob("bundle.*.js"):
        text = script.read_text(encoding="utf-8")
        script.write_text(text.replace("https://unpkg.com/", "assets/absent/"), encoding="utf-8")


def _copied(path: str, config: MkDocsConfig, files: Files) -> str:
    """Copy a file of the project into the site as text; give its place there."""
    wanted = f"project/{path}.txt"
    if files.get_file_from_path(wanted) is None:
        files.append(File.generated(config, wanted, content=(ROOT / path).read_bytes()))
    return wanted


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    """Apply a change to all text that stands in no fenced block."""
    parts, end = [], 0
    for fence in FENCES.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def _formula(latex: str) -> str:
    """Draw a ```math block."""
    return f'<p class="formula">{convert(latex.strip(), display="block")}</p>'


def _with_default(found: re.Match[str]) -> str:
    """Extend a row of tuning.md by what dbt_project.yml says of the var."""
    default, meaning = panel().get(found["name"], ("", ""))
    cell = html.escape(meaning, quote=False).replace("|", "\\|")
    shown = f"`{default}`" if default else ""
    return f"| `{found['name']}` | {shown} | {cell} | {found['advice']} |"


def panel() -> dict[str, tuple[str, str]]:
    """Read the vars of dbt_project.yml: name to default as written and the comment above it."""
    text = (ROOT / "dbt_project.yml").read_text(encoding="utf-8")
    block = re.search(r"^vars:\n(.*?)^\w", text, re.MULTILINE | re.DOTALL)
    assert block, "dbt_project.yml has no vars"
    found: dict[str, tuple[str, str]] = {}
    comment: list[str] = []
    is_open = False
    for line in block[1].splitlines():
        said, key = re.match(r"  # ?(.*)", line), re.match(r"  (\w+):\s*(.*)", line)
        if said:
            comment = [*comment, said[1]] if is_open else [said[1]]
            is_open = True
        elif key:
            default = key[2].strip() or "a list, see the file"
            found[key[1]] = (default.strip("'\"") or "(empty)", " ".join(comment) if is_open else found_before(found))
            is_open = False
        elif not line.strip():
            is_open = False
    return found


def found_before(found: dict[str, tuple[str, str]]) -> str:
    """Give the comment of the var before: one comment may speak of two."""
    return next(reversed(found.values()))[1] if found else ""
