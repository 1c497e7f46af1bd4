"""README and docs say what is so: commands and queries run, links lead somewhere, no mart and no var is forgotten."""

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from conftest import Build, open_to_read
from dbt.contracts.graph.manifest import Manifest

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = sorted([*(ROOT / name for name in TOP), *DOCS.rglob("*.md"), *ROOT.glob("examples/*/README.md")])
CONCEPTS = (
    "staging", "cleaning", "identity", "core", "quality", "features", "baskets", "recommendation", "value", "lifecycle",
    "segments", "prediction", "forecasting", "campaigns", "reporting", "evaluation",
)  # fmt: skip
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+?) -->\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
NUMBER = re.compile(r"(\d+\.\d+)")
#: What .ci/run calls by itself.
CI = re.compile(r"^make (build|test|test-quick|lint|docs)( +#.*)?$", re.MULTILINE)
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and why it is not run, if it is not."""

    page: Path
    language: str
    body: str
    reason: str | None

    def __str__(self) -> str:
        """Name the page and the first line."""
        return f"{self.page.relative_to(ROOT)}: {self.body.splitlines()[0]}"


def blocks(language: str) -> list[Block]:
    """List the blocks of one language on all pages."""
    return [
        Block(page, found["language"], found["body"], found["reason"])
        for page in PAGES
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if found["language"] == language
    ]


def script(block: Block) -> str:
    """Give what of a block is to be run, without what CI runs by itself."""
    return CI.sub("", block.body).strip()


RUN = [block for block in blocks("sh") if block.reason is None and script(block)]


def module(path: Path) -> ModuleType:
    """Import a script of docs/."""
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def slugs(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub and the site make them."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", head).strip().lower()) for head in heads}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in slugs(file)):
            dead.append(target)
    assert not dead


@pytest.mark.parametrize("block", RUN, ids=str)
def test_commands_run(block: Block, sample_build: Build) -> None:
    if os.environ.get("CRM_TARGET") == "secure":
        pytest.skip("the pages show how to read a plain warehouse")
    commands = (
        script(block).replace(".venv/bin/", f"{BIN}/").replace("'warehouse.duckdb'", f"'{sample_build.warehouse}'")
    )
    # The environment is installed: make must not make it anew.
    commands = re.sub(r"^make ", f"make --silent STAMP=requirements.lock BIN={BIN} ", commands, flags=re.MULTILINE)
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=ROOT,
        env={**os.environ, "CRM_WAREHOUSE": str(sample_build.warehouse)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-2000:]
    assert finished.stdout.strip()


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("sql")}), ids=lambda page: page.name)
def test_queries_run(page: Path, sample_build: Build) -> None:
    with open_to_read(sample_build.warehouse) as con:
        for block in blocks("sql"):
            if block.page == page:
                con.execute(block.body).fetchall()


def test_what_is_not_run_says_why() -> None:
    short = [str(block) for block in blocks("sh") if block.reason is not None and len(block.reason) < 10]
    assert not short
    shells = [str(block) for language in ("bash", "shell", "console") for block in blocks(language)]
    assert not shells, "fence commands as sh, so that they are run"


def test_every_mart_is_on_the_page_of_its_concept(manifest: Manifest) -> None:
    places = {
        node.name: Path(node.original_file_path).parts
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.schema in ("marts", "evaluation")
    }
    named = [
        (name, concept)
        for concept in CONCEPTS
        for section in re.findall(
            r"^## Marts\n(.*?)(?=^## |\Z)", (DOCS / f"{concept}.md").read_text("utf-8"), re.M | re.S
        )
        for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    ]
    assert sorted(name for name, _ in named) == sorted(places)
    # models/<concept>/marts/<name>.sql
    astray = [
        (name, concept, places[name]) for name, concept in named
        if places[name][2:3] == ("marts",) and places[name][1] != concept
    ]  # fmt: skip
    assert not astray


def test_the_page_of_vars_has_them_all() -> None:
    told = re.findall(r"^\| `(\w+)` \|", (DOCS / "tuning.md").read_text(encoding="utf-8"), re.MULTILINE)
    there = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert sorted(told) == sorted(there)
    panel = module(DOCS / "scripts" / "hooks.py").panel()
    assert set(panel) == set(there)
    assert all(meaning for _, meaning in panel.values())


def test_the_picture_is_of_the_sample(sample_build: Build) -> None:
    figure = module(DOCS / "scripts" / "figure.py")
    with open_to_read(sample_build.warehouse) as con:
        drawn = figure.draw(figure.facts(con))
    # Another processor may move a point of a line by a hair.
    there = NUMBER.split((DOCS / "img" / "at_work.svg").read_text(encoding="utf-8"))
    now = NUMBER.split(drawn)
    assert now[::2] == there[::2], "run docs/scripts/figure.py"
    assert [float(x) for x in now[1::2]] == pytest.approx([float(x) for x in there[1::2]], abs=0.3)
