"""Functions that MkDocs calls while it builds: the reference is made from the source files.

Each package of `PACKAGES` gets a page for each of its modules and subpackages, and one for itself.
The texts at the root of the checkout (results, contributing, changes) become pages as well, and so
does the table of all settings, which the library's own declarations give.
"""

import ast
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mnist_horizon", "analysis")
TEXTS = {
    "Results": "RESULTS.md",
    "Speed": "launch/PERFORMANCE.md",
    "Contributing": "CONTRIBUTING.md",
    "Changes": "CHANGELOG.md",
}

SETTINGS_PAGE = """# Every setting

A field of a config is set in its file (`config.batch.rollout_length = 128`), on the command line
(`--config.batch.rollout_length=128`), or as an argument of `mnist_horizon.api.train`. The default
is what a config without the field has. The same list, with the choices that a config file
registers, is printed by

    python -m launch.sweep --config=FILE --help

and the values of a sweep, defaults too, by

    python -m launch.sweep --config=FILE --show_config

{}

## The search for learning rates

A config of `launch.tune` has these as well.

{}
"""


def reference(root: Path = ROOT) -> dict[str, str]:
    """Pages of the reference: their address within the site, and their Markdown."""
    pages = {}
    for package in PACKAGES:
        pages[f"reference/{package}.md"] = _page(root, [root / package / "__init__.py"])
        for child in sorted((root / package).iterdir()):
            files = sorted(child.rglob("*.py")) if child.is_dir() else [child]
            files = [file for file in files if file.suffix == ".py" and _is_public(file)]
            if files and child.name != "__init__.py":
                address = f"reference/{package}/{child.relative_to(root / package).stem}.md"
                pages[address] = _page(root, files)
    return pages


def settings_page() -> str:
    """The page with every field of a config; `--help` of the commands lists the same."""
    from mnist_horizon import settings
    from mnist_horizon.sweeps import config_settings
    from mnist_horizon.tuning import tuning_settings

    fields = config_settings()
    tuning = [one for one in tuning_settings() if one not in fields]
    return SETTINGS_PAGE.format(settings.as_markdown(fields), settings.as_markdown(tuning))


def on_config(config: Any) -> Any:
    """Put the reference and the texts of the root into the navigation."""
    sections: dict[str, list[dict[str, str]]] = {package: [] for package in PACKAGES}
    for address in reference():
        parts = Path(address).with_suffix("").parts[1:]
        sections[parts[0]].append({".".join(parts): address})
    config.nav += [{f"Reference: {package}": pages} for package, pages in sections.items()]
    config.nav += [{title: Path(path).name} for title, path in TEXTS.items()]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not files in `docs/`."""
    from mkdocs.structure.files import File

    for address, text in {**reference(), "settings.md": settings_page()}.items():
        files.append(File.generated(config, address, content=text))
    for path in TEXTS.values():
        # In the site the pages of `docs/` are beside the texts of the root.
        text = (ROOT / path).read_text().replace("](docs/", "](")
        files.append(File.generated(config, Path(path).name, content=text))
    return files


def _is_public(file: Path) -> bool:
    return not file.stem.startswith("_") or file.name == "__init__.py"


def _page(root: Path, files: list[Path]) -> str:
    """Markdown of a page: one section for each file, packages before what is in them."""
    names = {_dotted(root, file): file for file in files}
    first = min(names, key=len)
    title = f"# `{first}`\n\n"
    return title + "\n".join(_section(name, file) for name, file in sorted(names.items()))


def _dotted(root: Path, file: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _section(name: str, file: Path) -> str:
    """The directive that documents a module; of a package, what it exports and defines itself."""
    directive = f"::: {name}\n"
    if file.name != "__init__.py":
        return directive
    tree = ast.parse(file.read_text())
    members = ", ".join(_defined(tree))
    directive += f"    options:\n      members: [{members}]\n"
    exported = _exported(tree)
    links = [
        f'<autoref optional identifier="{origin}.{member}"><code>{member}</code></autoref>'
        for member, origin in exported.items()
    ]
    return directive + (f"\nIt exports {', '.join(links)}.\n" if links else "")


def _defined(tree: ast.Module) -> list[str]:
    """Public functions and classes that a module defines itself."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    names = [node.name for node in tree.body if isinstance(node, kinds)]
    return [name for name in names if not name.startswith("_")]


def _exported(tree: ast.Module) -> dict[str, str]:
    """Names that a package takes from its modules to pass them on, and the module of each."""
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    packages = tuple(f"{package}." for package in PACKAGES)
    return {
        alias.asname or alias.name: node.module or ""
        for node in imports
        if (node.module or "").startswith(packages)
        for alias in node.names
    }
