// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;

/**
 * The real C library, except for ioctls, which a script answers, and for what a test wants to fail.
 *
 * <p>Paths opened and fds closed are recorded in order.
 */
public final class ScriptedLibC extends ForwardingLibC {
    /** Answers the ioctls of one fd. */
    @FunctionalInterface
    public interface Ioctls {
        /**
         * Answers one ioctl.
         *
         * @param request its number
         * @param argument its argument; {@link MemorySegment#NULL} with the value as its address where it is no memory
         * @return a value ≥ 0 or {@code -errno}
         */
        int answer(long request, MemorySegment argument);
    }

    private final Map<Integer, Ioctls> byFd = new ConcurrentHashMap<>();
    private final Map<String, Ioctls> byPath = new ConcurrentHashMap<>();
    private final Map<String, Errno> openErrors = new ConcurrentHashMap<>();
    private final Deque<Long> reads = new ConcurrentLinkedDeque<>();
    private final Deque<Long> writes = new ConcurrentLinkedDeque<>();
    private final List<String> opened = Collections.synchronizedList(new ArrayList<>());
    private final List<Integer> fds = Collections.synchronizedList(new ArrayList<>());
    private final List<Integer> closed = Collections.synchronizedList(new ArrayList<>());

    /**
     * Lets a script answer the ioctls of an fd.
     *
     * @param fd the fd
     * @param ioctls the script
     */
    public void script(int fd, Ioctls ioctls) {
        byFd.put(fd, ioctls);
    }

    /**
     * Lets a script answer the ioctls of every fd that is opened by a path.
     *
     * @param path the path
     * @param ioctls the script
     */
    public void script(String path, Ioctls ioctls) {
        byPath.put(path, ioctls);
    }

    /**
     * Lets opening a path fail.
     *
     * @param path the path
     * @param errno the error
     */
    public void failOpen(String path, Errno errno) {
        openErrors.put(path, errno);
    }

    /**
     * Sets what the next reads do: 0 and below is returned as it is, above is the most that is read.
     *
     * @param answers one per call; the calls after them are the kernel's alone
     */
    public void reads(long... answers) {
        for (long answer : answers) {
            reads.add(answer);
        }
    }

    /**
     * Sets what the next writes do, as {@link #reads}.
     *
     * @param answers one per call
     */
    public void writes(long... answers) {
        for (long answer : answers) {
            writes.add(answer);
        }
    }

    /**
     * Returns what was opened.
     *
     * @return the paths, in order
     */
    public List<String> opened() {
        return List.copyOf(opened);
    }

    /**
     * Returns the fds that opening has returned.
     *
     * @return the fds, in order
     */
    public List<Integer> openedFds() {
        return List.copyOf(fds);
    }

    /**
     * Returns what was closed.
     *
     * @return the fds, in order
     */
    public List<Integer> closed() {
        return List.copyOf(closed);
    }

    @Override
    public int open(String path, int flags) {
        opened.add(path);
        Errno error = openErrors.get(path);
        if (error != null) {
            return error.negated();
        }
        int fd = super.open(path, flags);
        if (fd >= 0) {
            fds.add(fd);
            Ioctls ioctls = byPath.get(path);
            if (ioctls != null) {
                byFd.put(fd, ioctls);
            }
        }
        return fd;
    }

    @Override
    public int close(int fd) {
        closed.add(fd);
        byFd.remove(fd);
        return super.close(fd);
    }

    @Override
    public int ioctl(int fd, long request, long value) {
        return answer(fd, request, MemorySegment.ofAddress(value));
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        return answer(fd, request, argument);
    }

    @Override
    public long read(int fd, MemorySegment buffer, long offset, long length) {
        Long answer = reads.poll();
        if (answer != null && answer <= 0) {
            return answer;
        }
        return super.read(fd, buffer, offset, answer == null ? length : Math.min(length, answer));
    }

    @Override
    public long write(int fd, MemorySegment buffer, long offset, long length) {
        Long answer = writes.poll();
        if (answer != null && answer <= 0) {
            return answer;
        }
        return super.write(fd, buffer, offset, answer == null ? length : Math.min(length, answer));
    }

    private int answer(int fd, long request, MemorySegment argument) {
        Ioctls ioctls = byFd.get(fd);
        return ioctls == null ? Errno.ENOTTY.negated() : ioctls.answer(request, argument);
    }
}
