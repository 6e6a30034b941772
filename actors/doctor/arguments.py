"""Check of the arguments for yt-dlp's extractors, of which it ignores unknown names without a word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from actors.doctor.report import Finding, fail, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.settings import Settings

_READ = re.compile(r"_configuration_arg\(\s*['\"](\w+)['\"]")


def check_arguments(settings: Settings) -> Iterator[Finding]:
    """One finding, where there is any such argument."""
    given = (settings.ytdlp_extractor_args, settings.ytdlp_fallback_args or {})
    names = {(site, name) for arguments in given for site, some in arguments.items() for name in some}
    if not names:
        return
    unknown = sorted(_unknown(names))
    if unknown:
        known = "`yt-dlp --list-extractors` names the sites, yt-dlp's README their arguments"
        yield fail("yt-dlp arguments", f"unknown to yt-dlp: {', '.join(unknown)}", known)
    else:
        yield ok("yt-dlp arguments", ", ".join(sorted(f"{site}:{name}" for site, name in names)))


def _unknown(names: set[tuple[str, str]]) -> set[str]:
    """Sites that yt-dlp has no extractor of, and arguments that none of its extractors reads."""
    import yt_dlp  # takes most of a second

    sites = {str(each.ie_key()).lower() for each in yt_dlp.extractor.gen_extractor_classes()}
    folder = Path(yt_dlp.extractor.__file__).parent
    read = {word.lower() for file in folder.rglob("*.py") for word in _READ.findall(file.read_text("utf-8"))}
    return {site for site, _ in names if site not in sites} | {
        f"{site}:{name}" for site, name in names if site in sites and name not in read
    }
