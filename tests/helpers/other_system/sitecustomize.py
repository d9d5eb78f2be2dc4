"""Takes away from a Python process on Linux what Windows or macOS lack.

Python imports this file by its name when its folder is in PYTHONPATH, so it also holds in
the processes that a command starts. Nothing happens without `SYSTEM`; see `other_system.py`.

The project's modules see another `sys`, `os`, `signal`, ... than libraries do: those are
built for Linux. Windows' rules of open files and of names hold for all Python code.
"""

import builtins
import errno
import importlib.util
import os
import pathlib
import stat
import sys
import threading
import types

SYSTEM = "OTHER_SYSTEM"
"""The environment variable that names the system: "windows" or "macos"."""

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
ROOT = os.path.dirname(TESTS)

ONLY_LINUX = {
    "os": {
        *("sched_getaffinity", "sched_setaffinity", "memfd_create", "eventfd"),
        *("posix_fadvise", "posix_fallocate", "O_TMPFILE", "O_PATH", "getrandom"),
    },
    "mmap": {"MAP_NORESERVE", "MAP_POPULATE", "MAP_STACK", "MADV_HUGEPAGE"},
}
"""What no other system has, by module."""

ONLY_POSIX = {
    "os": {
        *("fork", "forkpty", "register_at_fork", "wait", "wait3", "wait4", "waitid"),
        *("posix_spawn", "posix_spawnp", "WNOHANG", "WIFSIGNALED", "WTERMSIG"),
        *("getuid", "geteuid", "getgid", "getegid", "getgroups", "setuid", "setgid"),
        *("killpg", "getpgid", "getpgrp", "setpgid", "setsid", "getsid", "tcgetpgrp"),
        *("getpriority", "setpriority", "nice", "PRIO_PROCESS", "getloadavg"),
        *("sysconf", "sysconf_names", "confstr", "pathconf", "uname"),
        *("chown", "lchown", "fchown", "fchmod", "mkfifo", "mknod", "chroot"),
        *("statvfs", "fstatvfs", "sync", "fdatasync", "fchdir", "ttyname"),
        *("pread", "pwrite", "readv", "writev", "sendfile", "lockf", "pipe2"),
        *("openpty", "set_blocking", "get_blocking", "getresuid"),
        *("O_NONBLOCK", "O_NOCTTY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"),
        *("O_SYNC", "O_DSYNC", "O_ASYNC", "O_NDELAY"),
    },
    "mmap": {
        *("MAP_PRIVATE", "MAP_SHARED", "MAP_ANON", "MAP_ANONYMOUS"),
        *("PROT_READ", "PROT_WRITE", "PROT_EXEC", "MADV_DONTNEED"),
    },
    "time": {"tzset", "clock_gettime", "clock_gettime_ns"},
    "socket": {"AF_UNIX", "socketpair"},
}
SIGNALS_OF_WINDOWS = {
    *("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"),
    *("SIG_DFL", "SIG_IGN", "Signals", "Handlers", "signal", "getsignal"),
    *("raise_signal", "strsignal", "default_int_handler", "valid_signals"),
    "set_wakeup_fd",
}
MODULES_OF_POSIX = {
    "fcntl",
    "grp",
    "pty",
    "pwd",
    "resource",
    "syslog",
    "termios",
    "tty",
}
FORBIDDEN = set('<>:"|?*')
"""In a file's name on Windows, besides what is no printable character."""

_busy = threading.local()


class Seen(types.ModuleType):
    """A module as the project sees it: with `changed` in the place of its own, not `missing`."""

    def __init__(self, module: types.ModuleType, changed: dict, missing: set) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(changed)
        self._module = module
        self._missing = missing

    def __getattr__(self, name: str) -> object:
        if name in self._missing:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._module, name)


def take_away(system: str) -> None:
    """Make this process like one on `system` from now on."""
    on_windows = system == "windows"
    seen = {
        name: Seen(sys.modules[name], changed, missing)
        for name, changed, missing in (
            ("sys", {"platform": "win32" if on_windows else "darwin"}, set()),
            ("os", _os() if on_windows else {}, _missing("os", on_windows)),
        )
    }
    later = {
        "ctypes": _ctypes,
        "mmap": _mmap,
        "multiprocessing": _multiprocessing,
        "platform": _platform,
        "signal": _signal,
        "time": lambda module, on_windows: {},
        "socket": lambda module, on_windows: {},
    }
    gone = MODULES_OF_POSIX if on_windows else set()
    original = builtins.__import__

    def see(name, globals=None, locals=None, fromlist=(), level=0):
        """Import a module; the project gets the one of the other system."""
        module = original(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        if level or not (top in seen or top in later or top in gone):
            return module
        if not _is_ours(globals):
            return module
        if name in gone:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name != top and fromlist:
            return module
        if top not in seen:
            changed = later[top](sys.modules[top], on_windows)
            missing = _missing(top, on_windows)
            if top == "signal" and on_windows:
                missing = set(dir(module)) - SIGNALS_OF_WINDOWS
            seen[top] = Seen(sys.modules[top], changed, missing)
        return seen[top]

    builtins.__import__ = see
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, package=None: (
        None if name in gone else find(name, package)
    )
    _hide_proc()
    if on_windows:
        sys.addaudithook(_refuse)


def _missing(name: str, on_windows: bool) -> set:
    missing = set(ONLY_LINUX.get(name, ()))
    if on_windows:
        missing |= ONLY_POSIX.get(name, set())
    return missing


def _is_ours(namespace: dict | None) -> bool:
    """Return whether this is a module of the project."""
    file = (namespace or {}).get("__file__") or ""
    file = os.path.abspath(file)
    return file.startswith(ROOT + os.sep) and not file.startswith(TESTS + os.sep)


def _os() -> dict:
    real_open, real_fsync = os.open, os.fsync

    def open_file(path, flags, mode=0o777, *, dir_fd=None):
        """As Windows: it opens no folders, and not relative to one."""
        if dir_fd is not None:
            raise NotImplementedError("dir_fd unavailable on this platform")
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_open(path, flags, mode)

    def fsync(handle):
        """As Windows: only what was opened for writing can be flushed."""
        import fcntl

        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real_fsync(handle)

    def symlink(source, target, *_, **__):
        """As Windows for who is no administrator."""
        raise OSError(errno.EPERM, "A required privilege is not held", source)

    return {
        "name": "nt",
        "O_BINARY": 0,
        "open": open_file,
        "fsync": fsync,
        "symlink": symlink,
    }


def _signal(module, on_windows: bool) -> dict:
    if not on_windows:
        return {}
    known = {getattr(module, name) for name in SIGNALS_OF_WINDOWS if name[:4] == "SIGA"}
    known |= {module.SIGFPE, module.SIGILL, module.SIGINT}
    known |= {module.SIGSEGV, module.SIGTERM}

    def handle(number, handler):
        """As Windows: no other signal can be handled."""
        if number not in known:
            raise ValueError("invalid signal value")
        return module.signal(number, handler)

    return {"signal": handle, "SIGBREAK": 21}


def _ctypes(module, on_windows: bool) -> dict:
    if not on_windows:
        return {}

    class CDLL(module.CDLL):
        """A library; on Windows there is none of the process itself."""

        def __init__(self, name, *arguments, **settings):
            if name is None:
                raise TypeError("argument of type 'NoneType' is not iterable")
            if name == "vcomp140.dll":  # the system's OpenMP: here Paddle's
                paddle = importlib.util.find_spec("paddle")
                libraries = os.path.join(os.path.dirname(paddle.origin), "libs")
                name = os.path.join(libraries, "libiomp5.so")
            super().__init__(name, *arguments, **settings)

    return {"CDLL": CDLL}


def _mmap(module, on_windows: bool) -> dict:
    if not on_windows:
        return {}

    def memory(handle, length, tagname=None, access=0, offset=0):
        """As Windows' mmap, which has a name in the place of flags."""
        if tagname is not None and not isinstance(tagname, str):
            raise TypeError("mmap() argument 3 must be str or None, not int")
        return module.mmap(handle, length, access=access, offset=offset)

    return {"mmap": memory}


def _multiprocessing(module, on_windows: bool) -> dict:
    def context(method=None):
        """As elsewhere: `spawn` is the default, and on Windows the only one."""
        if on_windows and method not in (None, "spawn"):
            raise ValueError(f"cannot find context for {method!r}")
        return module.get_context(method or "spawn")

    return {"get_context": context, "Process": context().Process}


def _platform(module, on_windows: bool) -> dict:
    name, machine = ("Windows", "AMD64") if on_windows else ("Darwin", "arm64")
    processor = "AMD64 Family 25 Model 17, AuthenticAMD" if on_windows else "arm"
    return {
        "system": lambda: name,
        "machine": lambda: machine,
        "processor": lambda: processor,
    }


def _hide_proc() -> None:
    """Let no Python code see files under /proc and /sys."""
    for name in ("stat", "lstat"):
        looked = _without_proc(getattr(os, name))
        setattr(os, name, looked)
        if sys.version_info < (3, 11):  # whose pathlib keeps functions of its own
            setattr(pathlib._NormalAccessor, name, staticmethod(looked))

    def refuse(event: str, arguments: tuple) -> None:
        """Refuse to open or list one."""
        listed = ("open", "os.listdir", "os.scandir")
        if event in listed and arguments and _is_hidden(arguments[0]):
            raise FileNotFoundError(errno.ENOENT, "No such file", arguments[0])

    sys.addaudithook(refuse)


def _without_proc(look):
    def looked(path, *arguments, **settings):
        """Look at a file."""
        if _is_hidden(path):
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        return look(path, *arguments, **settings)

    return looked


def _is_hidden(path: object) -> bool:
    if isinstance(path, int) or path is None or getattr(_busy, "now", False):
        return False
    name = os.fsdecode(path)
    return name.startswith(("/proc/", "/sys/")) or name in ("/proc", "/sys")


def _refuse(event: str, arguments: tuple) -> None:
    """Refuse what Windows does: some names, and to replace or remove what is open."""
    named = isinstance(arguments[0], str | bytes | os.PathLike) if arguments else False
    if event in ("open", "os.mkdir") and named:
        _check_name(arguments[0])
    elif event == "os.rename":
        _check_name(arguments[1])
        for i in (0, 1):
            _check_closed(arguments[i], arguments[i + 2])
    elif event == "os.remove":
        _check_closed(*arguments)


def _check_name(path: object) -> None:
    name = os.path.basename(os.fsdecode(path))
    is_bad = not FORBIDDEN.isdisjoint(name) or any(c < " " for c in name)
    ends_badly = name.strip(".") and name[-1] in " ."
    if is_bad or ends_badly:
        raise OSError(errno.EINVAL, "Invalid argument", path)


def _check_closed(path: object, folder: int) -> None:
    """Raise PermissionError if a process of ours has the file open, or one in the folder."""
    if getattr(_busy, "now", False):
        return
    _busy.now = True
    try:
        base = os.getcwd() if folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
        full = os.path.realpath(os.path.join(base, os.fsdecode(path)))
        is_folder = os.path.isdir(full)
        for opened in _opened(os.getpid()):
            within = is_folder and opened.startswith(full + os.sep)
            if opened == full or within:
                raise PermissionError(errno.EACCES, f"open elsewhere: {opened}", path)
    finally:
        _busy.now = False


def _opened(process: int) -> list[str]:
    """Return the regular files that a process and its children have open or mapped."""
    found = []
    try:
        for handle in os.listdir(f"/proc/{process}/fd"):
            link = f"/proc/{process}/fd/{handle}"
            try:
                if stat.S_ISREG(os.stat(link).st_mode):
                    found.append(os.readlink(link))
            except OSError:  # closed meanwhile
                continue
        with open(f"/proc/{process}/maps", encoding="utf-8", errors="replace") as file:
            found += [line.split(None, 5)[-1].rstrip("\n") for line in file]
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/children") as file:
                children = file.read().split()
            for child in children:
                found += _opened(int(child))
    except OSError:  # it has ended
        pass
    return found


if SYSTEM in os.environ:
    take_away(os.environ[SYSTEM])
