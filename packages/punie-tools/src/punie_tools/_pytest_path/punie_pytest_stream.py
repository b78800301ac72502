"""A pytest plugin that tells each outcome as one JSON line, in a file, the moment it happens.

It is loaded with `-p punie_pytest_stream` into the environment of the project under test, which
has nothing of Punie in it; so it needs nothing but pytest 7.0 and Python 3.8. The file is named by
the environment variable PUNIE_PYTEST_STREAM. Each line is flushed, so that what happened before
`os._exit` is known.
"""

import json
import os
import time

_VARIABLE = "PUNIE_PYTEST_STREAM"
_LIMIT = 4000


def _text(value):
    """Return any text as text that JSON and UTF-8 can carry, cut to a useful length."""
    text = str(value)
    if len(text) > _LIMIT:
        text = text[: _LIMIT // 2] + "\n[…]\n" + text[-_LIMIT // 2 :]
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _message(report):
    """Return why a test did not pass, in the fewest words pytest has for it."""
    reason = getattr(report, "wasxfail", None)
    longrepr = report.longrepr
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return _text(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    if reason is not None and report.outcome == "skipped":
        return _text(reason)
    if crash is not None:
        return _text(crash.message)
    if not longrepr:
        return _text(reason or "")
    # A module that cannot be imported has no crash entry, but pytest marks what went wrong.
    lines = str(longrepr).splitlines()
    marked = [line[1:].strip() for line in lines if line.startswith("E  ")]
    return _text("\n".join(marked) or longrepr)


class _Stream:
    """Writes the lines of one run."""

    def __init__(self, config, path):
        self._config = config
        self._file = open(path, "a", encoding="utf-8")  # noqa: PTH123, SIM115 - Python 3.8, kept open
        self._started = time.time()
        self._lines = 0
        self._ended = 0
        self._torn_down = 0
        self._stopped = ""

    def write(self, kind, **fields):
        self._lines += 1
        self._file.write(json.dumps(dict(fields, kind=kind)) + "\n")
        self._file.flush()

    def start(self, version):
        self.write("start", pytest=version, rootdir=_text(self._config.rootpath))

    def pytest_runtest_logreport(self, report):
        hook = self._config.hook
        status = hook.pytest_report_teststatus(report=report, config=self._config)
        self._torn_down += report.when == "teardown"
        self.write(
            "report",
            nodeid=_text(report.nodeid),
            when=_text(report.when),
            outcome=_text(report.outcome),
            category=_text(status[0]),
            subtest=type(report).__name__ in ("SubtestReport", "SubTestReport"),
            duration=max(0.0, float(report.duration)),
            message="" if report.outcome == "passed" and not status[0] else _message(report),
        )

    def pytest_collectreport(self, report):
        if report.outcome != "passed":
            self.write(
                "collect",
                nodeid=_text(report.nodeid),
                outcome=_text(report.outcome),
                message=_message(report),
            )

    def pytest_runtest_logfinish(self):
        self._ended += 1

    def pytest_keyboard_interrupt(self, excinfo):
        # Called for `pytest.exit` too, which may say that the exit code is 0.
        self._stopped = _text(excinfo.value) or excinfo.typename

    def finish(self, exitstatus, collected):
        self.write(
            "finish",
            exitstatus=int(exitstatus),
            duration=max(0.0, time.time() - self._started),
            collected=collected,
            # A plugin that runs tests in its own way may do without one of the two.
            ended=max(self._ended, self._torn_down),
            stopped=self._stopped,
            lines=self._lines,
        )

    def close(self):
        self._file.close()


def pytest_configure(config):
    """Start the stream."""
    import pytest

    # xdist's workers inherit both the option and the variable; only the controller reports.
    if hasattr(config, "workerinput"):
        return
    path = os.environ.pop(_VARIABLE, None)  # not for a pytest that the tests start themselves
    if path is None:
        return
    stream = _Stream(config, path)
    stream.start(pytest.__version__)
    config.pluginmanager.register(stream, "punie-stream")


def pytest_sessionfinish(session, exitstatus):
    """Write the line that says that pytest came to its end."""
    stream = session.config.pluginmanager.get_plugin("punie-stream")
    if stream is not None:
        stream.finish(exitstatus, session.testscollected)


def pytest_unconfigure(config):
    """Close the file."""
    stream = config.pluginmanager.get_plugin("punie-stream")
    if stream is not None:
        stream.close()
