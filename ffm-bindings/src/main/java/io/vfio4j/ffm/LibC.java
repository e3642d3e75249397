// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import java.lang.foreign.MemorySegment;

/**
 * The system calls that vfio4j needs, as the C library offers them.
 *
 * <p>Each call returns a value ≥ 0, or {@code -errno} ({@link Errno}); nothing is retried ({@code EINTR} and short
 * counts reach the caller) and nothing is allocated. Implementations are safe for use by any number of threads. A call
 * may block its platform thread in the kernel; it does not answer {@link Thread#interrupt()}.
 *
 * <p>This interface is the seam of the tests: the emulator answers the ioctls of its devices and hands every other call
 * on to the {@linkplain #system() real one}.
 */
public interface LibC {
    /** {@code O_RDONLY}: open for reading. */
    int O_RDONLY = 0;
    /** {@code O_WRONLY}: open for writing. */
    int O_WRONLY = 1;
    /** {@code O_RDWR}: open for reading and writing. */
    int O_RDWR = 2;
    /** {@code O_CLOEXEC}: closed on {@code execve}. */
    int O_CLOEXEC = 0x80000;

    /** {@code PROT_READ}: pages may be read. */
    int PROT_READ = 1;
    /** {@code PROT_WRITE}: pages may be written. */
    int PROT_WRITE = 2;
    /** {@code MAP_SHARED}: stores reach the mapped file. */
    int MAP_SHARED = 0x01;
    /** {@code MAP_PRIVATE}: stores stay in this process. */
    int MAP_PRIVATE = 0x02;
    /** {@code MAP_ANONYMOUS}: no file behind it. */
    int MAP_ANONYMOUS = 0x20;
    /** {@code MADV_HUGEPAGE}: back with transparent huge pages where it can be done. */
    int MADV_HUGEPAGE = 14;
    /**
     * {@code MADV_POPULATE_READ}: touch every page now, for reading; EFAULT where that would be a SIGBUS. Linux 5.14.
     */
    int MADV_POPULATE_READ = 22;
    /** {@code MADV_POPULATE_WRITE}: touch every page now, for writing. Linux 5.14. */
    int MADV_POPULATE_WRITE = 23;

    /** {@code SEEK_SET}: from the beginning. */
    int SEEK_SET = 0;
    /** {@code SEEK_END}: from the end. */
    int SEEK_END = 2;
    /** {@code SEEK_DATA}: to what is no hole. */
    int SEEK_DATA = 3;
    /** {@code SEEK_HOLE}: to a hole, or the end. */
    int SEEK_HOLE = 4;
    /** {@code FALLOC_FL_KEEP_SIZE}: the file does not become longer. */
    int FALLOC_FL_KEEP_SIZE = 0x01;
    /** {@code FALLOC_FL_PUNCH_HOLE}: makes a hole; with {@code FALLOC_FL_KEEP_SIZE} only. */
    int FALLOC_FL_PUNCH_HOLE = 0x02;
    /** {@code FALLOC_FL_ZERO_RANGE}: makes zeros, which may take room. */
    int FALLOC_FL_ZERO_RANGE = 0x10;

    /** {@code MFD_CLOEXEC}: the memfd is closed on {@code execve}. */
    int MFD_CLOEXEC = 1;
    /** {@code EFD_CLOEXEC}: the eventfd is closed on {@code execve}. */
    int EFD_CLOEXEC = 0x80000;
    /** {@code POLLIN}: there is data to read. */
    int POLLIN = 0x1;
    /** {@code POLLOUT}: there is room to write. */
    int POLLOUT = 0x4;
    /** {@code POLLHUP}: the other end is gone. */
    int POLLHUP = 0x10;
    /** {@code AF_UNIX}: local sockets. */
    int AF_UNIX = 1;
    /** {@code AF_INET}: IPv4 sockets. */
    int AF_INET = 2;
    /** {@code AF_INET6}: IPv6 sockets. */
    int AF_INET6 = 10;
    /** {@code SOCK_STREAM}: an ordered stream of bytes. */
    int SOCK_STREAM = 1;
    /** {@code SOCK_NONBLOCK}: no call on the socket waits. */
    int SOCK_NONBLOCK = 0x800;
    /** {@code SOCK_CLOEXEC}: the socket is closed on {@code execve}. */
    int SOCK_CLOEXEC = 0x80000;
    /** {@code SHUT_RD}: nothing more is received. */
    int SHUT_RD = 0;
    /** {@code SHUT_RDWR}: nothing more is received or sent. */
    int SHUT_RDWR = 2;
    /** {@code SIGUSR1}: free for a program's own use; the JVM has none for it. */
    int SIGUSR1 = 10;

    /**
     * Returns the C library of this process.
     *
     * @return the one instance
     * @throws NativeAccessException where this JVM may not call native functions; the message names the flag to pass
     */
    static LibC system() {
        NativeAccess.check();
        return NativeLibC.INSTANCE;
    }

    /**
     * Opens a file: {@code open(2)}.
     *
     * @param path the path
     * @param flags {@code O_*}
     * @return the fd, or {@code -errno}
     */
    int open(String path, int flags);

    /**
     * Closes an fd: {@code close(2)}. The fd is gone whatever this returns.
     *
     * @param fd the fd
     * @return 0, or {@code -errno}
     */
    int close(int fd);

    /**
     * Sends a request whose argument is an integer by value, or none: {@code ioctl(2)}.
     *
     * @param fd the fd
     * @param request the request's number
     * @param value the argument; 0 for none
     * @return a value ≥ 0 that depends on the request, or {@code -errno}
     */
    int ioctl(int fd, long request, long value);

    /**
     * Sends a request whose argument is memory: {@code ioctl(2)}.
     *
     * @param fd the fd
     * @param request the request's number
     * @param argument native memory
     * @return a value ≥ 0 that depends on the request, or {@code -errno}
     */
    int ioctl(int fd, long request, MemorySegment argument);

    /**
     * Reads: {@code read(2)}.
     *
     * @param fd the fd
     * @param buffer native memory
     * @param offset where in the buffer to put the first byte
     * @param length how many bytes at the most; {@code offset + length} lies within the buffer
     * @return the number of bytes read, 0 at the end, or {@code -errno}
     */
    long read(int fd, MemorySegment buffer, long offset, long length);

    /**
     * Writes: {@code write(2)}.
     *
     * @param fd the fd
     * @param buffer native memory
     * @param offset where in the buffer the first byte is
     * @param length how many bytes at the most; {@code offset + length} lies within the buffer
     * @return the number of bytes written, or {@code -errno}
     */
    long write(int fd, MemorySegment buffer, long offset, long length);

    /**
     * Reads into several places: {@code readv(2)}.
     *
     * @param fd the fd
     * @param vector an array of {@link IoVec}
     * @param count how many elements
     * @return the number of bytes read, 0 at the end, or {@code -errno}
     */
    long readv(int fd, MemorySegment vector, int count);

    /**
     * Writes from several places: {@code writev(2)}.
     *
     * @param fd the fd
     * @param vector an array of {@link IoVec}
     * @param count how many elements
     * @return the number of bytes written, or {@code -errno}
     */
    long writev(int fd, MemorySegment vector, int count);

    /**
     * Reads at a position: {@code pread(2)}.
     *
     * @param fd the fd
     * @param buffer native memory
     * @param offset where in the buffer to put the first byte
     * @param length how many bytes at the most
     * @param position where in the file
     * @return the number of bytes read, 0 at the end, or {@code -errno}
     */
    long pread(int fd, MemorySegment buffer, long offset, long length, long position);

    /**
     * Writes at a position: {@code pwrite(2)}.
     *
     * @param fd the fd
     * @param buffer native memory
     * @param offset where in the buffer the first byte is
     * @param length how many bytes at the most
     * @param position where in the file
     * @return the number of bytes written, or {@code -errno}
     */
    long pwrite(int fd, MemorySegment buffer, long offset, long length, long position);

    /**
     * Waits for one of several fds: {@code poll(2)}.
     *
     * @param fds an array of {@link PollFd}
     * @param count how many elements
     * @param timeoutMillis how long, in milliseconds; 0 does not wait, negative waits for ever
     * @return how many are ready, 0 when the time is over, or {@code -errno}
     */
    int poll(MemorySegment fds, int count, int timeoutMillis);

    /**
     * Makes a counter to wait for: {@code eventfd(2)}.
     *
     * @param initial its first value
     * @param flags {@code EFD_*}
     * @return the fd, or {@code -errno}
     */
    int eventfd(int initial, int flags);

    /**
     * Makes a file in memory: {@code memfd_create(2)}.
     *
     * @param name a name for {@code /proc}
     * @param flags {@code MFD_*}
     * @return the fd, or {@code -errno}
     */
    int memfdCreate(String name, int flags);

    /**
     * Sets a file's size: {@code ftruncate(2)}.
     *
     * @param fd the fd
     * @param length the size in bytes
     * @return 0, or {@code -errno}
     */
    int ftruncate(int fd, long length);

    /**
     * Finds a place in a file: {@code lseek(2)}. On a block device {@code SEEK_END} tells its size.
     *
     * @param fd the fd
     * @param offset from where
     * @param whence {@code SEEK_*}
     * @return the offset from the beginning, or {@code -errno}; {@code -ENXIO} where there is no more data
     */
    long lseek(int fd, long offset, int whence);

    /**
     * Takes room for a part of a file, or gives it back: {@code fallocate(2)}.
     *
     * @param fd the fd
     * @param mode {@code FALLOC_FL_*}; 0 takes room and leaves what is there
     * @param offset the part's first byte
     * @param length how many bytes
     * @return 0, or {@code -errno}; {@code -EOPNOTSUPP} where the file system has no such thing
     */
    int fallocate(int fd, int mode, long offset, long length);

    /**
     * Waits until what was written is on disk: {@code fsync(2)}.
     *
     * @param fd the fd
     * @return 0, or {@code -errno}
     */
    int fsync(int fd);

    /**
     * Duplicates an fd: {@code fcntl(F_DUPFD_CLOEXEC)}.
     *
     * @param fd the fd
     * @return the new fd, or {@code -errno}
     */
    int dup(int fd);

    /**
     * Maps a file or anonymous memory: {@code mmap(2)}. {@link MappedMemory} gives such a mapping an owner.
     *
     * @param length how many bytes
     * @param protection {@code PROT_*}
     * @param flags {@code MAP_*}
     * @param fd the file, or -1
     * @param offset where in the file
     * @return the address, or {@code -errno}
     */
    long mmap(long length, int protection, int flags, int fd, long offset);

    /**
     * Unmaps: {@code munmap(2)}.
     *
     * @param address the first byte's address
     * @param length how many bytes
     * @return 0, or {@code -errno}
     */
    int munmap(long address, long length);

    /**
     * Tells the kernel how memory will be used: {@code madvise(2)}.
     *
     * @param address the first byte's address, page-aligned
     * @param length how many bytes
     * @param advice {@code MADV_*}
     * @return 0, or {@code -errno}
     */
    int madvise(long address, long length, int advice);

    /**
     * Makes a userfaultfd: {@code userfaultfd(2)}.
     *
     * @param flags {@code O_CLOEXEC}, {@code UFFD_USER_MODE_ONLY}
     * @return the fd, or {@code -errno}; {@code -ENOSYS} on processors other than x86-64
     */
    int userfaultfd(int flags);

    /**
     * Makes two connected sockets: {@code socketpair(2)}.
     *
     * @param domain {@code AF_UNIX}
     * @param type {@code SOCK_*}
     * @param fds receives the two fds: 8 bytes, {@code int[2]}
     * @return 0, or {@code -errno}
     */
    int socketpair(int domain, int type, MemorySegment fds);

    /**
     * Makes a socket: {@code socket(2)}.
     *
     * @param domain {@code AF_*}
     * @param type {@code SOCK_*}
     * @param protocol {@code IPPROTO_*}; 0 for the domain's own
     * @return the fd, or {@code -errno}
     */
    int socket(int domain, int type, int protocol);

    /**
     * Connects a socket: {@code connect(2)}.
     *
     * @param fd the socket
     * @param address the peer's address, all of it
     * @return 0, or {@code -errno}
     */
    int connect(int fd, MemorySegment address);

    /**
     * Ends a connection, or one direction of it: {@code shutdown(2)}. What blocks on the socket comes back, whichever
     * fd of it that is; the fds stay open.
     *
     * @param fd the socket
     * @param how {@code SHUT_*}
     * @return 0, or {@code -errno}; {@code -ENOTCONN} for a socket that is not connected
     */
    int shutdown(int fd, int how);

    /**
     * Sets an option of a socket: {@code setsockopt(2)}.
     *
     * @param fd the socket
     * @param level the option's level, such as {@code SOL_SOCKET}
     * @param option the option
     * @param value its value, all of it
     * @return 0, or {@code -errno}
     */
    int setsockopt(int fd, int level, int option, MemorySegment value);

    /**
     * Gets an option of a socket: {@code getsockopt(2)}.
     *
     * @param fd the socket
     * @param level the option's level, such as {@code SOL_SOCKET}
     * @param option the option
     * @param value receives its value
     * @param length the room for the value in bytes, 4 bytes; the value's length on return
     * @return 0, or {@code -errno}
     */
    int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length);

    /**
     * Sends a message, possibly with fds beside it: {@code sendmsg(2)}. {@link FdPassing} builds such messages.
     *
     * @param fd the socket
     * @param message a {@link MsgHdr}
     * @param flags {@code MSG_*}
     * @return the number of bytes sent, or {@code -errno}
     */
    long sendmsg(int fd, MemorySegment message, int flags);

    /**
     * Receives a message, possibly with fds beside it: {@code recvmsg(2)}.
     *
     * @param fd the socket
     * @param message a {@link MsgHdr}
     * @param flags {@code MSG_*}
     * @return the number of bytes received, 0 at the end, or {@code -errno}
     */
    long recvmsg(int fd, MemorySegment message, int flags);

    /**
     * Catches a signal by a handler that does nothing: {@code signal(2)}. The signal no longer ends the process, and a
     * thread that gets it comes back from what it blocks in, as far as that answers signals: {@code KVM_RUN} by
     * {@code EINTR}. For the whole process, and not undone.
     *
     * @param signal one that the JVM does not use, such as {@link #SIGUSR1}
     * @return 0, or {@code -errno}
     */
    int catchSignal(int signal);

    /**
     * Sends a signal to one thread of this process: {@code tgkill(2)}.
     *
     * @param processId the process, so that a thread id that was used again elsewhere is not hit
     * @param threadId the thread, as the kernel numbers it; {@code /proc/thread-self} tells a thread its own
     * @param signal the signal, one that is caught; 0 only asks whether there is such a thread
     * @return 0, or {@code -errno}; {@code -ESRCH} where there is no such thread, {@code -ENOSYS} on processors other
     *     than x86-64
     */
    int tgkill(int processId, int threadId, int signal);
}
