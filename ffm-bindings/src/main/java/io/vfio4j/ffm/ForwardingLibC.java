// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import java.lang.foreign.MemorySegment;

/** Hands every call on to other system calls: what extends it answers itself what it wants to. For any thread. */
public class ForwardingLibC implements LibC {
    private final LibC real;

    /** Makes system calls that are this host's own. */
    public ForwardingLibC() {
        this(LibC.system());
    }

    /**
     * Makes system calls that are those of others.
     *
     * @param real who does the work
     */
    public ForwardingLibC(LibC real) {
        this.real = real;
    }

    @Override
    public int open(String path, int flags) {
        return real.open(path, flags);
    }

    @Override
    public int close(int fd) {
        return real.close(fd);
    }

    @Override
    public int ioctl(int fd, long request, long value) {
        return real.ioctl(fd, request, value);
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        return real.ioctl(fd, request, argument);
    }

    @Override
    public long read(int fd, MemorySegment buffer, long offset, long length) {
        return real.read(fd, buffer, offset, length);
    }

    @Override
    public long write(int fd, MemorySegment buffer, long offset, long length) {
        return real.write(fd, buffer, offset, length);
    }

    @Override
    public long readv(int fd, MemorySegment vector, int count) {
        return real.readv(fd, vector, count);
    }

    @Override
    public long writev(int fd, MemorySegment vector, int count) {
        return real.writev(fd, vector, count);
    }

    @Override
    public long pread(int fd, MemorySegment buffer, long offset, long length, long position) {
        return real.pread(fd, buffer, offset, length, position);
    }

    @Override
    public long pwrite(int fd, MemorySegment buffer, long offset, long length, long position) {
        return real.pwrite(fd, buffer, offset, length, position);
    }

    @Override
    public int poll(MemorySegment fds, int count, int timeoutMillis) {
        return real.poll(fds, count, timeoutMillis);
    }

    @Override
    public int eventfd(int initial, int flags) {
        return real.eventfd(initial, flags);
    }

    @Override
    public int memfdCreate(String name, int flags) {
        return real.memfdCreate(name, flags);
    }

    @Override
    public int ftruncate(int fd, long length) {
        return real.ftruncate(fd, length);
    }

    @Override
    public long lseek(int fd, long offset, int whence) {
        return real.lseek(fd, offset, whence);
    }

    @Override
    public int fallocate(int fd, int mode, long offset, long length) {
        return real.fallocate(fd, mode, offset, length);
    }

    @Override
    public int fsync(int fd) {
        return real.fsync(fd);
    }

    @Override
    public int dup(int fd) {
        return real.dup(fd);
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        return real.mmap(length, protection, flags, fd, offset);
    }

    @Override
    public int munmap(long address, long length) {
        return real.munmap(address, length);
    }

    @Override
    public int madvise(long address, long length, int advice) {
        return real.madvise(address, length, advice);
    }

    @Override
    public int socketpair(int domain, int type, MemorySegment fds) {
        return real.socketpair(domain, type, fds);
    }

    @Override
    public int userfaultfd(int flags) {
        return real.userfaultfd(flags);
    }

    @Override
    public int socket(int domain, int type, int protocol) {
        return real.socket(domain, type, protocol);
    }

    @Override
    public int connect(int fd, MemorySegment address) {
        return real.connect(fd, address);
    }

    @Override
    public int shutdown(int fd, int how) {
        return real.shutdown(fd, how);
    }

    @Override
    public int setsockopt(int fd, int level, int option, MemorySegment value) {
        return real.setsockopt(fd, level, option, value);
    }

    @Override
    public int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length) {
        return real.getsockopt(fd, level, option, value, length);
    }

    @Override
    public long sendmsg(int fd, MemorySegment message, int flags) {
        return real.sendmsg(fd, message, flags);
    }

    @Override
    public long recvmsg(int fd, MemorySegment message, int flags) {
        return real.recvmsg(fd, message, flags);
    }

    @Override
    public int catchSignal(int signal) {
        return real.catchSignal(signal);
    }

    @Override
    public int tgkill(int processId, int threadId, int signal) {
        return real.tgkill(processId, threadId, signal);
    }
}
