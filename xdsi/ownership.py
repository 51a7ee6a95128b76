"""Refuses to run when a foreign distribution owns one of our root packages.

``registry`` and ``repository`` are plain names. Another distribution may install packages of the
same name over ours, and pip says nothing; what then runs is a mixture of both.
"""

from importlib.metadata import packages_distributions

from xdsi.config import ConfigurationError

DISTRIBUTION = "xdsi"
ROOT_PACKAGES = ("registry", "repository", "xdsi")


class ForeignPackages(ConfigurationError):
    """Another distribution in this environment owns a root package of ours."""


def refuse_foreign_packages() -> None:
    """Check who owns the root packages in this environment, before anything is served.

    Raises ForeignPackages naming every package, its foreign owners and what to do.
    """
    distributions = packages_distributions()
    foreign = {
        package: sorted(set(distributions.get(package, ())) - {DISTRIBUTION})
        for package in ROOT_PACKAGES
    }
    found = [
        f"{package} (also installed by {', '.join(owners)})"
        for package, owners in foreign.items()
        if owners
    ]
    if found:
        raise ForeignPackages(
            f"another distribution owns a package of xdsi: {'; '.join(found)}. "
            "Uninstall it, then install xdsi again; or give xdsi an environment of its own."
        )
