// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

/**
 * The errno values of Linux that matter to device migration, by the kernel's numbers.
 *
 * <p>Calls of {@link LibC} return {@code -errno}; {@link #is(long)} compares such a value with a constant.
 */
public enum Errno {
    /** Operation not permitted. */
    EPERM(1),
    /** No such file, directory, object id or address. */
    ENOENT(2),
    /** No such process or thread. */
    ESRCH(3),
    /** A signal interrupted the call before anything was done. */
    EINTR(4),
    /** Input/output error. */
    EIO(5),
    /** No such device or address. */
    ENXIO(6),
    /** Argument list too long; for iommufd and VFIO: a struct's unknown tail is not zero, or too many ranges. */
    E2BIG(7),
    /** Bad file descriptor, or not open in this direction. */
    EBADF(9),
    /** Try again: nothing now, and the call may not wait. */
    EAGAIN(11),
    /** Out of memory, or more data than the device wants. */
    ENOMEM(12),
    /** Permission denied. */
    EACCES(13),
    /** Bad address. */
    EFAULT(14),
    /** In use. */
    EBUSY(16),
    /** Exists already. */
    EEXIST(17),
    /** No such device; on a data_fd: its data transfer session has ended. */
    ENODEV(19),
    /** Not a directory. */
    ENOTDIR(20),
    /** Is a directory. */
    EISDIR(21),
    /** Invalid argument. */
    EINVAL(22),
    /** Too many open files in the system. */
    ENFILE(23),
    /** Too many open files in this process. */
    EMFILE(24),
    /** The fd does not know this ioctl. */
    ENOTTY(25),
    /** File too large. */
    EFBIG(27),
    /** No space left on the device. */
    ENOSPC(28),
    /** The fd cannot seek. */
    ESPIPE(29),
    /** Read-only file system. */
    EROFS(30),
    /** The reader's end is closed. */
    EPIPE(32),
    /** The system call does not exist. */
    ENOSYS(38),
    /** No message of the desired type; on a saving data_fd: drained for now. */
    ENOMSG(42),
    /** Value too large for its type. */
    EOVERFLOW(75),
    /** File descriptor in bad state. */
    EBADFD(77),
    /** The fd is no socket. */
    ENOTSOCK(88),
    /** Message too long. */
    EMSGSIZE(90),
    /** Operation not supported. */
    EOPNOTSUPP(95),
    /** Connection reset by the peer. */
    ECONNRESET(104),
    /** No buffer space. */
    ENOBUFS(105),
    /** The socket is not connected. */
    ENOTCONN(107),
    /** The wait took too long. */
    ETIMEDOUT(110),
    /** Nobody listens there. */
    ECONNREFUSED(111),
    /** The socket does not block, and its connection is under way. */
    EINPROGRESS(115);

    private static final int NUMBERS = 134;
    private static final Errno[] BY_NUMBER = new Errno[NUMBERS];

    static {
        for (Errno errno : values()) {
            BY_NUMBER[errno.number] = errno;
        }
    }

    private final int number;

    Errno(int number) {
        this.number = number;
    }

    /**
     * Returns the kernel's number.
     *
     * @return the number, 1 to 133
     */
    public int number() {
        return number;
    }

    /**
     * Returns what a call of {@link LibC} returns when it fails with this error.
     *
     * @return {@code -number()}
     */
    public int negated() {
        return -number;
    }

    /**
     * Tells whether a call failed with this error.
     *
     * @param result what the call returned
     * @return whether it is {@code -number()}
     */
    public boolean is(long result) {
        return result == -number;
    }

    /**
     * Names an error for a person.
     *
     * @param result what the call returned, {@code -errno}
     * @return such as {@code EBUSY (16)}, or {@code errno 133} where it has no constant here
     */
    public static String describe(long result) {
        int number = Math.toIntExact(-result);
        Errno errno = number > 0 && number < NUMBERS ? BY_NUMBER[number] : null;
        return errno == null ? "errno " + number : errno.name() + " (" + number + ")";
    }
}
