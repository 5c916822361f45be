"""`photo-diorama models`: lists, downloads, imports, checks and removes networks in the models folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ...core.errors import Cancelled, DioramaError
from ...core.models import store as models
from .flags import add_common
from .session import Session

YES = ("y", "yes")


def add_flags(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|download|import|remove|verify")
    for name, about in (
        ("list", "show all networks, their size, licence and state"),
        ("download", "bring a network into the models folder, checked; a cut download goes on where it was"),
        ("import", "take a network from a file that you have, checked as a download is"),
        ("remove", "delete a network's file"),
        ("verify", "check the files again, all or one"),
    ):
        action = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        if name != "list":
            count = "?" if name == "verify" else None
            action.add_argument("key", metavar="KEY", nargs=count, help="as `models list` shows it")
        if name == "import":
            action.add_argument("file", type=Path, metavar="FILE", help="the file; its name does not matter")
        if name == "download":
            action.add_argument("--yes", action="store_true", help="agree to size and licence without being asked")
        add_common(action, threads=False)


def run(given: argparse.Namespace, session: Session) -> None:
    """Does one action. Only "download" goes online, and only after a yes."""
    actions = {"list": show, "download": download, "import": take, "remove": remove, "verify": verify}
    actions[given.action](given, session)


def show(given: argparse.Namespace, session: Session) -> None:
    rows = models.list_models(session.models)
    widths = [max(len(row.key) for row in rows), max(len(row.state) for row in rows)]
    for row in rows:
        use = "" if row.commercial else ", NOT for commercial use"
        state = f"{row.key:<{widths[0]}}  {row.state:<{widths[1]}}  {row.bytes / 1e6:7,.1f} MB"
        session.say(f"{state}  {row.licence}{use}; {row.purpose}")
    best = models.best_estimator(session.models)
    session.say(
        f"models folder: {session.models}",
        f"photos without depth are estimated by {best.key if best else 'the built-in network'}",
    )
    facts = {"folder": str(session.models), "best_estimator": best.key if best else None}
    session.result(facts | {"models": [asdict(row) for row in rows]})


def download(given: argparse.Namespace, session: Session) -> None:
    """Size and licence first, then the question, then the network."""
    wanted = models.weights_named(given.key)
    if wanted not in models.installed(session.models):
        if session.online:  # else the refusal below says why
            _ask(wanted, given.yes, session)
    _said(models.download(wanted, session.models, _progress(session), session.online), session)


def _ask(wanted: models.Weights, agreed: bool, session: Session) -> None:
    """Raises Cancelled where the user says no, DioramaError where there is no terminal to ask on."""
    message = f"{models.describe(wanted)} It goes to {session.models}."
    if agreed:
        session.say(message)
        return
    if not sys.stdin or not sys.stdin.isatty():
        raise DioramaError(f"{message.rstrip('.')}; nobody can be asked here, so pass --yes to download it.")
    session.progress.write(f"{message}\nDownload it? [y/N] ")
    if sys.stdin.readline().strip().lower() not in YES:
        raise Cancelled


def take(given: argparse.Namespace, session: Session) -> None:
    _said(models.import_file(models.weights_named(given.key), given.file, session.models, _progress(session)), session)


def remove(given: argparse.Namespace, session: Session) -> None:
    wanted = models.weights_named(given.key)
    freed = models.remove(wanted, session.models)
    session.say(f"{wanted.key}: {freed / 1e6:,.1f} MB freed" if freed else f"{wanted.key} is not in {session.models}")
    session.result({"key": wanted.key, "freed_bytes": freed})


def verify(given: argparse.Namespace, session: Session) -> None:
    """Checks one file, or all in the folder; names each wrong one."""
    if given.key is not None:
        _said(models.verify(models.weights_named(given.key), session.models, _progress(session)), session)
        return
    there = [row.key for row in models.list_models(session.models) if row.state in ("installed", "unchecked")]
    good, wrong = [], []
    for key in there:
        try:
            good.append(models.verify(models.weights_named(key), session.models, _progress(session)))
        except DioramaError as error:
            wrong.append(error)
    session.say(*(file.note for file in good))
    if not there:
        session.say(f"There are no models in {session.models}.")
    for error in wrong[:-1]:
        session.warn(str(error))
    if wrong:
        raise wrong[-1]
    session.result({"verified": [_facts(file) for file in good]})


def _said(file: models.InstalledFile, session: Session) -> None:
    session.say(file.note)
    session.result(_facts(file))


def _facts(file: models.InstalledFile) -> dict:
    return {"key": file.weights.key, "path": str(file.path), "sha256": file.sha256, "note": file.note}


def _progress(session: Session) -> Callable[[float, str], None]:
    """Progress in core's order of arguments for downloads: the fraction first."""
    return lambda fraction, text: session.progress(text, fraction)
