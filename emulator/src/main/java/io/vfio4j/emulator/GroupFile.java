// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioGroupStatus;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** {@code /dev/vfio/N}: the one open file of a group. It stays open as long as a device file from it is. */
final class GroupFile extends EmulatedFile {
    private final EmulatedKernel kernel;
    private final EmulatedGroup group;
    private @Nullable EmulatedFile container;

    GroupFile(EmulatedKernel kernel, EmulatedGroup group) {
        this.kernel = kernel;
        this.group = group;
    }

    @Override
    int ioctl(long request, MemorySegment argument) {
        synchronized (group) {
            return switch ((int) request) {
                case Vfio.VFIO_GROUP_GET_STATUS -> status(argument);
                case Vfio.VFIO_GROUP_SET_CONTAINER -> setContainer(argument);
                case Vfio.VFIO_GROUP_UNSET_CONTAINER -> unsetContainer();
                case Vfio.VFIO_GROUP_GET_DEVICE_FD -> deviceFd(argument);
                default -> Errno.ENOTTY.negated();
            };
        }
    }

    @Override
    void released() {
        synchronized (group) {
            detach();
            group.file = null;
        }
    }

    private int status(MemorySegment argument) {
        int result = Arguments.check(argument, VfioGroupStatus.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int flags = Vfio.VFIO_GROUP_FLAGS_VIABLE;
        if (container != null) {
            flags |= Vfio.VFIO_GROUP_FLAGS_CONTAINER_SET;
        }
        VfioGroupStatus.FLAGS.set(argument, flags);
        return 0;
    }

    private int setContainer(MemorySegment argument) {
        if (argument.byteSize() < Integer.BYTES) {
            return Errno.EFAULT.negated();
        }
        int fd = argument.get(JAVA_INT, 0);
        if (fd < 0 || container != null) {
            return Errno.EINVAL.negated();
        }
        EmulatedFile file = kernel.file(fd);
        if (file instanceof ContainerFile made) {
            made.attach();
        } else if (!(file instanceof IommufdFile)) {
            return (kernel.isOpen(fd) ? Errno.EINVAL : Errno.EBADF).negated();
        }
        file.reference();
        container = file;
        return 0;
    }

    private int unsetContainer() {
        if (container == null) {
            return Errno.EINVAL.negated();
        }
        if (group.deviceFiles > 0) {
            return Errno.EBUSY.negated();
        }
        detach();
        return 0;
    }

    private int deviceFd(MemorySegment argument) {
        if (argument.byteSize() == 0) {
            return Errno.EFAULT.negated();
        }
        boolean hasIommu = container instanceof IommufdFile || (container instanceof ContainerFile c && c.hasIommu());
        if (!isName(argument, group.device.name())) {
            return Errno.ENODEV.negated();
        }
        if (!hasIommu) {
            return Errno.EINVAL.negated();
        }
        int fd = kernel.install(new DeviceFile(kernel, group, this), "vfio-device", true);
        if (fd >= 0) {
            reference();
            group.deviceFiles++;
        }
        return fd;
    }

    private static boolean isName(MemorySegment argument, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (argument.byteSize() <= bytes.length || argument.get(JAVA_BYTE, bytes.length) != 0) {
            return false;
        }
        return MemorySegment.ofArray(bytes).mismatch(argument.asSlice(0, bytes.length)) < 0;
    }

    private void detach() {
        EmulatedFile file = container;
        container = null;
        if (file instanceof ContainerFile made) {
            made.detach();
        }
        if (file != null) {
            file.unreference();
        }
    }
}
