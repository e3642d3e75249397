// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.IoVec;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.vfio.ContainerFd;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * System calls of a host that has emulated VFIO devices and is otherwise the real one.
 *
 * <p>{@code /dev/iommu} and all below {@code /dev/vfio} are emulated: what of that is not there does not exist, and a
 * real device of this host cannot be opened by mistake. Every other path, and every fd that does not come from an
 * emulated file, goes to the real system calls. The fds that stand for emulated files are real, too (memfds), so that
 * they count, are closed and are duplicated as all fds. Close them through this object; one that is closed behind its
 * back stays emulated until its number is handed out again. For {@code poll(2)} they are always ready both ways, and so
 * is the data_fd of most drivers.
 *
 * <p>For any thread. {@link #close()} closes what is still open.
 */
public final class EmulatedKernel extends ForwardingLibC implements AutoCloseable {
    static final String GROUPS = "/dev/vfio/";
    static final String CDEVS = "/dev/vfio/devices/";

    private final LibC real;
    private final LongSupplier nanoTime;
    private final FdTable fds = new FdTable();
    private final List<EmulatedGroup> groups = new CopyOnWriteArrayList<>();
    private boolean closed;

    /**
     * Makes a host without devices.
     *
     * @param real the system calls that do the rest
     * @param nanoTime the clock that the devices change by, in nanoseconds, such as {@link System#nanoTime}
     */
    public EmulatedKernel(LibC real, LongSupplier nanoTime) {
        super(real);
        this.real = real;
        this.nanoTime = nanoTime;
    }

    /**
     * Adds a device, as the next {@code /dev/vfio/devices/vfioN} and {@code /dev/vfio/N}, N from 0.
     *
     * @param spec what it is like; its state takes that much memory at once
     * @return the device, owned by this kernel
     * @throws IllegalStateException after {@link #close()}, or when the state cannot be made
     * @throws OutOfMemoryError when the state cannot be mapped
     */
    public synchronized EmulatedDevice add(EmulatedDeviceSpec spec) {
        if (closed) {
            throw new IllegalStateException("the emulated kernel is closed");
        }
        EmulatedDevice device = new EmulatedDevice(this, real, nanoTime, spec, groups.size());
        groups.add(new EmulatedGroup(device));
        return device;
    }

    /** Closes every fd that still stands for an emulated file, and frees the devices' states. May be called again. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        fds.fds().forEach(this::close);
        groups.forEach(group -> group.device.close());
    }

    @Override
    public int open(String path, int flags) {
        if (!path.equals(IommuFd.PATH) && !path.startsWith(GROUPS)) {
            return real.open(path, flags);
        }
        boolean closeOnExec = (flags & O_CLOEXEC) != 0;
        if (path.equals(IommuFd.PATH)) {
            return install(new IommufdFile(), "iommufd", closeOnExec);
        }
        if (path.equals(ContainerFd.PATH)) {
            return install(new ContainerFile(), "vfio-container", closeOnExec);
        }
        for (EmulatedGroup group : groups) {
            if (path.equals(group.device.cdevPath())) {
                return install(new DeviceFile(this, group, null), "vfio-device", closeOnExec);
            }
            if (path.equals(group.device.groupPath())) {
                return openGroup(group, closeOnExec);
            }
        }
        return Errno.ENOENT.negated();
    }

    @Override
    public int close(int fd) {
        EmulatedFile file = fds.remove(fd);
        int result = real.close(fd);
        if (file != null) {
            file.unreference();
        }
        return result;
    }

    @Override
    public int ioctl(int fd, long request, long value) {
        EmulatedFile file = fds.get(fd);
        return file == null ? real.ioctl(fd, request, value) : file.ioctl(request, value);
    }

    @Override
    public int ioctl(int fd, long request, MemorySegment argument) {
        EmulatedFile file = fds.get(fd);
        return file == null ? real.ioctl(fd, request, argument) : file.ioctl(request, argument);
    }

    @Override
    public long read(int fd, MemorySegment buffer, long offset, long length) {
        EmulatedFile file = fds.get(fd);
        if (file == null) {
            return real.read(fd, buffer, offset, length);
        }
        check(buffer, offset, length);
        return file.read(buffer, offset, length);
    }

    @Override
    public long write(int fd, MemorySegment buffer, long offset, long length) {
        EmulatedFile file = fds.get(fd);
        if (file == null) {
            return real.write(fd, buffer, offset, length);
        }
        check(buffer, offset, length);
        return file.write(buffer, offset, length);
    }

    /**
     * {@inheritDoc}
     *
     * <p>On an emulated fd this takes the way over a file of its own, for only the real kernel can follow the
     * addresses; it is correct, not fast.
     */
    @Override
    public long readv(int fd, MemorySegment vector, int count) {
        EmulatedFile file = fds.get(fd);
        if (file == null) {
            return real.readv(fd, vector, count);
        }
        try (Scratch scratch = new Scratch(vector, count)) {
            long read = file.read(scratch.buffer, 0, scratch.buffer.byteSize());
            if (read <= 0) {
                return read;
            }
            long put = real.pwrite(scratch.fd, scratch.buffer, 0, read, 0);
            return put < 0 ? put : real.readv(scratch.fd, vector, count);
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>On an emulated fd this takes the way over a file of its own, for only the real kernel can follow the
     * addresses; it is correct, not fast.
     */
    @Override
    public long writev(int fd, MemorySegment vector, int count) {
        EmulatedFile file = fds.get(fd);
        if (file == null) {
            return real.writev(fd, vector, count);
        }
        try (Scratch scratch = new Scratch(vector, count)) {
            long gathered = real.writev(scratch.fd, vector, count);
            if (gathered < 0) {
                return gathered;
            }
            long got = real.pread(scratch.fd, scratch.buffer, 0, gathered, 0);
            return got < 0 ? got : file.write(scratch.buffer, 0, got);
        }
    }

    @Override
    public long pread(int fd, MemorySegment buffer, long offset, long length, long position) {
        EmulatedFile file = fds.get(fd);
        if (file == null) {
            return real.pread(fd, buffer, offset, length, position);
        }
        check(buffer, offset, length);
        return file.pread(buffer, offset, length, position);
    }

    @Override
    public long pwrite(int fd, MemorySegment buffer, long offset, long length, long position) {
        EmulatedFile file = fds.get(fd);
        if (file == null) {
            return real.pwrite(fd, buffer, offset, length, position);
        }
        check(buffer, offset, length);
        return file.pwrite(buffer, offset, length, position);
    }

    @Override
    public int ftruncate(int fd, long length) {
        return fds.get(fd) == null ? real.ftruncate(fd, length) : Errno.EINVAL.negated();
    }

    @Override
    public int dup(int fd) {
        EmulatedFile file = fds.get(fd);
        int copy = real.dup(fd);
        if (file != null && copy >= 0) {
            file.reference();
            fds.put(copy, file);
        }
        return copy;
    }

    @Override
    public long mmap(long length, int protection, int flags, int fd, long offset) {
        return fd < 0 || fds.get(fd) == null
                ? real.mmap(length, protection, flags, fd, offset)
                : Errno.ENODEV.negated();
    }

    @Nullable
    EmulatedFile file(int fd) {
        return fds.get(fd);
    }

    boolean isOpen(int fd) {
        int copy = real.dup(fd);
        if (copy >= 0) {
            real.close(copy);
        }
        return copy >= 0;
    }

    /** Makes a real fd stand for a file: the fd, or -errno. */
    int install(EmulatedFile file, String name, boolean closeOnExec) {
        int fd = real.memfdCreate("vfio4j-" + name, closeOnExec ? MFD_CLOEXEC : 0);
        if (fd >= 0) {
            fds.put(fd, file);
        }
        return fd;
    }

    private int openGroup(EmulatedGroup group, boolean closeOnExec) {
        synchronized (group) {
            if (group.file != null || group.isBound()) {
                return Errno.EBUSY.negated();
            }
            GroupFile file = new GroupFile(this, group);
            int fd = install(file, "vfio-group", closeOnExec);
            if (fd >= 0) {
                group.file = file;
            }
            return fd;
        }
    }

    /** The checks that a real call makes before it is made. */
    private static void check(MemorySegment buffer, long offset, long length) {
        Objects.checkFromIndexSize(offset, length, buffer.byteSize());
        if (!buffer.isNative()) {
            throw new IllegalArgumentException("Heap segment not allowed: " + buffer);
        }
    }

    /** A buffer as long as a vector, and a file to get its bytes to or from the vector's places. */
    private final class Scratch implements AutoCloseable {
        final Arena arena = Arena.ofConfined();
        final MemorySegment buffer;
        final int fd;

        Scratch(MemorySegment vector, int count) {
            long total = 0;
            for (int i = 0; i < count; i++) {
                total += IoVec.IOV_LEN.get(vector.asSlice(i * IoVec.STRUCT.size()));
            }
            buffer = arena.allocate(JAVA_BYTE, total);
            fd = real.memfdCreate("vfio4j-vector", MFD_CLOEXEC);
        }

        @Override
        public void close() {
            real.close(fd);
            arena.close();
        }
    }
}
