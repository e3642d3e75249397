// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * The C library through the Foreign Function and Memory API.
 *
 * <p>Every handle captures errno into a segment of the calling thread's own: threads that fail at the same time do not
 * see each other's errno. {@code Linker.Option.critical} is used nowhere, for each of these calls may block, and a
 * critical call that blocks stops the whole JVM at its next safepoint.
 */
// SAFETY: each descriptor below spells the prototype of its function in the LP64 ABI: size_t, ssize_t, off_t and
// pointers as 64 bits, variadic functions with firstVariadicArg. Segments passed as ADDRESS are kept alive by the
// linker for the duration of the call; mmap's result is handed out as a number.
@SuppressWarnings("restricted")
final class NativeLibC implements LibC {
    static final NativeLibC INSTANCE = new NativeLibC();

    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final long __NR_userfaultfd = 323;
    private static final long __NR_tgkill = 234;
    private static final long SIG_ERR = -1;
    private static final boolean X86_64 =
            System.getProperty("os.arch", "unknown").equals("amd64");

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO =
            CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno")).withInvokeExactBehavior();
    private static final ThreadLocal<MemorySegment> CAPTURED =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CAPTURE));

    private static final MethodHandle OPEN =
            variadic("open", 2, FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
    private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle IOCTL_VALUE =
            variadic("ioctl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle IOCTL_POINTER =
            variadic("ioctl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS));
    private static final MethodHandle FCNTL =
            variadic("fcntl", 2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle READ =
            function("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle WRITE =
            function("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle READV =
            function("readv", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle WRITEV =
            function("writev", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle PREAD =
            function("pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PWRITE =
            function("pwrite", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle POLL =
            function("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    private static final MethodHandle EVENTFD =
            function("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle MEMFD_CREATE =
            function("memfd_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle FTRUNCATE =
            function("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle LSEEK =
            function("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle FALLOCATE =
            function("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle FSYNC = function("fsync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle MMAP = function(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle MADVISE =
            function("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle SOCKETPAIR =
            function("socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle SOCKET =
            function("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle CONNECT =
            function("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SHUTDOWN =
            function("shutdown", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle SETSOCKOPT =
            function("setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle GETSOCKOPT =
            function("getsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
    private static final MethodHandle SENDMSG =
            function("sendmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle RECVMSG =
            function("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));

    // The C library has no function for it.
    private static final MethodHandle USERFAULTFD =
            variadic("syscall", 1, FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT));

    // The C library's own function for it is younger than some that are in use.
    private static final MethodHandle TGKILL =
            variadic("syscall", 1, FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT));

    private static final MethodHandle SIGNAL = function("signal", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS));

    // SAFETY: a signal handler of native code alone, for Java must not be entered from one. It takes the signal's
    // number, does nothing, and what it returns is in a register that nobody looks at.
    private static final MemorySegment NO_OPERATION = symbol("abs");

    private NativeLibC() {}

    @Override
    public int open(String path, int flags) {
        MemorySegment errno = CAPTURED.get();
        try (Arena arena = Arena.ofConfined()) {
            return result((int) OPEN.invokeExact(errno, arena.allocateFrom(path), flags, 0), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int close(int fd) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) CLOSE.invokeExact(errno, fd), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int ioctl(int fd, long request, long value) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) IOCTL_VALUE.invokeExact(errno, fd, request, value), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) IOCTL_POINTER.invokeExact(errno, fd, request, argument), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long read(int fd, MemorySegment buffer, long offset, long length) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) READ.invokeExact(errno, fd, buffer.asSlice(offset, length), length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long write(int fd, MemorySegment buffer, long offset, long length) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) WRITE.invokeExact(errno, fd, buffer.asSlice(offset, length), length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long readv(int fd, MemorySegment vector, int count) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) READV.invokeExact(errno, fd, vector, count), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long writev(int fd, MemorySegment vector, int count) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) WRITEV.invokeExact(errno, fd, vector, count), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long pread(int fd, MemorySegment buffer, long offset, long length, long position) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) PREAD.invokeExact(errno, fd, buffer.asSlice(offset, length), length, position), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long pwrite(int fd, MemorySegment buffer, long offset, long length, long position) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result(
                    (long) PWRITE.invokeExact(errno, fd, buffer.asSlice(offset, length), length, position), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int poll(MemorySegment fds, int count, int timeoutMillis) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) POLL.invokeExact(errno, fds, (long) count, timeoutMillis), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int eventfd(int initial, int flags) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) EVENTFD.invokeExact(errno, initial, flags), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int memfdCreate(String name, int flags) {
        MemorySegment errno = CAPTURED.get();
        try (Arena arena = Arena.ofConfined()) {
            return result((int) MEMFD_CREATE.invokeExact(errno, arena.allocateFrom(name), flags), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int ftruncate(int fd, long length) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) FTRUNCATE.invokeExact(errno, fd, length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long lseek(int fd, long offset, int whence) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) LSEEK.invokeExact(errno, fd, offset, whence), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) FALLOCATE.invokeExact(errno, fd, mode, offset, length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int fsync(int fd) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) FSYNC.invokeExact(errno, fd), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int dup(int fd) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) FCNTL.invokeExact(errno, fd, F_DUPFD_CLOEXEC, 0), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        MemorySegment errno = CAPTURED.get();
        try {
            long address = (long) MMAP.invokeExact(errno, 0L, length, protection, flags, fd, offset);
            return address == -1 ? result(-1, errno) : address;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int munmap(long address, long length) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) MUNMAP.invokeExact(errno, address, length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int madvise(long address, long length, int advice) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) MADVISE.invokeExact(errno, address, length, advice), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int userfaultfd(int flags) {
        MemorySegment errno = CAPTURED.get();
        try {
            return X86_64
                    ? (int) result((long) USERFAULTFD.invokeExact(errno, __NR_userfaultfd, flags), errno)
                    : Errno.ENOSYS.negated();
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int socketpair(int domain, int type, MemorySegment fds) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) SOCKETPAIR.invokeExact(errno, domain, type, 0, fds), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int socket(int domain, int type, int protocol) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) SOCKET.invokeExact(errno, domain, type, protocol), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int connect(int fd, MemorySegment address) {
        MemorySegment errno = CAPTURED.get();
        try {
            int length = Math.toIntExact(address.byteSize());
            return result((int) CONNECT.invokeExact(errno, fd, address, length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int shutdown(int fd, int how) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) SHUTDOWN.invokeExact(errno, fd, how), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int setsockopt(int fd, int level, int option, MemorySegment value) {
        MemorySegment errno = CAPTURED.get();
        try {
            int length = Math.toIntExact(value.byteSize());
            return result((int) SETSOCKOPT.invokeExact(errno, fd, level, option, value, length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((int) GETSOCKOPT.invokeExact(errno, fd, level, option, value, length), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long sendmsg(int fd, MemorySegment message, int flags) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) SENDMSG.invokeExact(errno, fd, message, flags), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public long recvmsg(int fd, MemorySegment message, int flags) {
        MemorySegment errno = CAPTURED.get();
        try {
            return result((long) RECVMSG.invokeExact(errno, fd, message, flags), errno);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int catchSignal(int signal) {
        MemorySegment errno = CAPTURED.get();
        try {
            long before = (long) SIGNAL.invokeExact(errno, signal, NO_OPERATION);
            return before == SIG_ERR ? result(-1, errno) : 0;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    @Override
    public int tgkill(int processId, int threadId, int signal) {
        MemorySegment errno = CAPTURED.get();
        try {
            return X86_64
                    ? (int) result((long) TGKILL.invokeExact(errno, __NR_tgkill, processId, threadId, signal), errno)
                    : Errno.ENOSYS.negated();
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    private static int result(int returned, MemorySegment errno) {
        return returned < 0 ? -(int) ERRNO.get(errno, 0L) : returned;
    }

    private static long result(long returned, MemorySegment errno) {
        return returned < 0 ? -(int) ERRNO.get(errno, 0L) : returned;
    }

    private static RuntimeException unexpected(Throwable t) {
        if (t instanceof RuntimeException e) {
            throw e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        throw new AssertionError("a downcall threw a checked exception", t);
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        return link(name, descriptor, List.of());
    }

    private static MethodHandle variadic(String name, int firstVariadic, FunctionDescriptor descriptor) {
        return link(name, descriptor, List.of(Linker.Option.firstVariadicArg(firstVariadic)));
    }

    private static MethodHandle link(String name, FunctionDescriptor descriptor, List<Linker.Option> options) {
        List<Linker.Option> all = new ArrayList<>(options);
        all.add(Linker.Option.captureCallState("errno"));
        return LINKER.downcallHandle(symbol(name), descriptor, all.toArray(Linker.Option[]::new));
    }

    private static MemorySegment symbol(String name) {
        return LINKER.defaultLookup()
                .find(name)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    }
}
