// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigDataSize;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigState;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigration;
import io.vfio4j.ffm.vfio.VfioDeviceInfo;
import io.vfio4j.ffm.vfio.VfioRegionInfo;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** An open device: through its group and ready at once, or a cdev that knows only BIND until it is bound. */
final class DeviceFile extends EmulatedFile {
    private static final int REGIONS = 9;
    private static final int IRQS = 5;
    private static final int REGION_OFFSET_BITS = 40;
    private static final long INFO_LEAST = VfioDeviceInfo.CAP_OFFSET.offset();
    private static final int GET = Vfio.VFIO_DEVICE_FEATURE_GET;
    private static final int SET = Vfio.VFIO_DEVICE_FEATURE_SET;
    private static final int PROBE = Vfio.VFIO_DEVICE_FEATURE_PROBE;

    private final EmulatedKernel kernel;
    private final EmulatedGroup group;
    private final EmulatedDevice device;
    private final @Nullable GroupFile openedThrough;
    private volatile @Nullable IommufdFile iommufd;
    private volatile int deviceId;

    DeviceFile(EmulatedKernel kernel, EmulatedGroup group, @Nullable GroupFile openedThrough) {
        this.kernel = kernel;
        this.group = group;
        this.device = group.device;
        this.openedThrough = openedThrough;
    }

    @Override
    int ioctl(long request, MemorySegment argument) {
        if (request == Vfio.VFIO_DEVICE_BIND_IOMMUFD) {
            return bind(argument);
        }
        if (!isReady()) {
            return Errno.EINVAL.negated();
        }
        return switch ((int) request) {
            case Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT -> attach(argument);
            case Vfio.VFIO_DEVICE_GET_INFO -> info(argument);
            case Vfio.VFIO_DEVICE_GET_REGION_INFO -> regionInfo(argument);
            case Vfio.VFIO_DEVICE_RESET -> device.resetByCall();
            case Vfio.VFIO_DEVICE_FEATURE -> feature(argument);
            default -> Errno.ENOTTY.negated();
        };
    }

    @Override
    long pread(MemorySegment buffer, long offset, long length, long position) {
        if (!isReady() || position >>> REGION_OFFSET_BITS != Vfio.VFIO_PCI_CONFIG_REGION_INDEX) {
            return Errno.EINVAL.negated();
        }
        long at = position & (1L << REGION_OFFSET_BITS) - 1;
        MemorySegment config = EmulatedDevice.CONFIG_SPACE;
        long n = Math.min(length, config.byteSize() - at);
        if (n < 0) {
            return Errno.EINVAL.negated();
        }
        MemorySegment.copy(config, at, buffer, offset, n);
        return n;
    }

    @Override
    void released() {
        IommufdFile boundTo = iommufd;
        if (boundTo == null && openedThrough == null) {
            return;
        }
        synchronized (group) {
            if (--group.deviceFiles == 0) {
                device.lastFileClosed();
            }
        }
        if (boundTo != null) {
            boundTo.unbind(deviceId);
            boundTo.unreference();
        }
        if (openedThrough != null) {
            openedThrough.unreference();
        }
    }

    private boolean isReady() {
        return openedThrough != null || iommufd != null;
    }

    private int bind(MemorySegment argument) {
        int result = Arguments.checkExtensible(
                argument, VfioDeviceBindIommufd.SIZE_WITHOUT_TOKEN, VfioDeviceBindIommufd.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int fd = VfioDeviceBindIommufd.IOMMUFD.get(argument);
        if (VfioDeviceBindIommufd.FLAGS.get(argument) != 0 || fd < 0 || openedThrough != null) {
            return Errno.EINVAL.negated();
        }
        synchronized (group) {
            if (group.file != null) {
                return Errno.EBUSY.negated();
            }
            if (group.isBound()) {
                return Errno.EINVAL.negated();
            }
            if (!(kernel.file(fd) instanceof IommufdFile file)) {
                return (kernel.isOpen(fd) ? Errno.EBADFD : Errno.EBADF).negated();
            }
            file.reference();
            deviceId = file.bind();
            iommufd = file;
            group.deviceFiles++;
            VfioDeviceBindIommufd.OUT_DEVID.set(argument, deviceId);
            return 0;
        }
    }

    private int attach(MemorySegment argument) {
        IommufdFile boundTo = iommufd;
        if (boundTo == null) {
            return Errno.ENOTTY.negated();
        }
        int result = Arguments.check(argument, VfioDeviceAttachIommufdPt.SIZE_WITHOUT_PASID);
        if (result < 0) {
            return result;
        }
        if (VfioDeviceAttachIommufdPt.FLAGS.get(argument) != 0) {
            return Errno.EINVAL.negated();
        }
        return boundTo.attach(deviceId, VfioDeviceAttachIommufdPt.PT_ID.get(argument));
    }

    private static int info(MemorySegment argument) {
        int result = Arguments.check(argument, INFO_LEAST);
        if (result < 0) {
            return result;
        }
        VfioDeviceInfo.FLAGS.set(argument, Vfio.VFIO_DEVICE_FLAGS_PCI | Vfio.VFIO_DEVICE_FLAGS_RESET);
        VfioDeviceInfo.NUM_REGIONS.set(argument, REGIONS);
        VfioDeviceInfo.NUM_IRQS.set(argument, IRQS);
        boolean hasCaps = Integer.toUnsignedLong(VfioDeviceInfo.ARGSZ.get(argument)) >= VfioDeviceInfo.STRUCT.size();
        if (hasCaps && argument.byteSize() >= VfioDeviceInfo.STRUCT.size()) {
            VfioDeviceInfo.CAP_OFFSET.set(argument, 0);
        }
        return 0;
    }

    private static int regionInfo(MemorySegment argument) {
        int result = Arguments.check(argument, VfioRegionInfo.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int index = VfioRegionInfo.INDEX.get(argument);
        if (index < 0 || index >= REGIONS) {
            return Errno.EINVAL.negated();
        }
        boolean config = index == Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
        VfioRegionInfo.FLAGS.set(argument, config ? Vfio.VFIO_REGION_INFO_FLAG_READ : 0);
        VfioRegionInfo.CAP_OFFSET.set(argument, 0);
        VfioRegionInfo.SIZE.set(argument, config ? EmulatedDevice.CONFIG_SPACE.byteSize() : 0);
        VfioRegionInfo.OFFSET.set(argument, (long) index << REGION_OFFSET_BITS);
        return 0;
    }

    private int feature(MemorySegment argument) {
        int result = Arguments.check(argument, VfioDeviceFeature.STRUCT.size());
        if (result < 0) {
            return result;
        }
        int flags = VfioDeviceFeature.FLAGS.get(argument);
        if ((flags & ~(Vfio.VFIO_DEVICE_FEATURE_MASK | GET | SET | PROBE)) != 0) {
            return Errno.EINVAL.negated();
        }
        if ((flags & GET) != 0 && (flags & SET) != 0 && (flags & PROBE) == 0) {
            return Errno.EINVAL.negated();
        }
        return switch (flags & Vfio.VFIO_DEVICE_FEATURE_MASK) {
            case Vfio.VFIO_DEVICE_FEATURE_MIGRATION -> {
                int check = checkFeature(argument, flags, GET, VfioDeviceFeatureMigration.STRUCT.size());
                if (check > 0) {
                    VfioDeviceFeatureMigration.FLAGS.set(payload(argument), device.features());
                }
                yield Math.min(check, 0);
            }
            case Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE -> {
                int check = checkFeature(argument, flags, GET | SET, VfioDeviceFeatureMigState.STRUCT.size());
                if (check <= 0) {
                    yield check;
                }
                yield (flags & SET) != 0 ? setState(payload(argument)) : getState(payload(argument));
            }
            case Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE -> {
                int check = checkFeature(argument, flags, GET, VfioDeviceFeatureMigDataSize.STRUCT.size());
                yield check <= 0 ? check : dataSize(payload(argument));
            }
            case Vfio.VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 -> {
                // Unlike the others, this one is EINVAL where the device lacks it, also when probed.
                if ((device.features() & Vfio.VFIO_MIGRATION_PRE_COPY) == 0) {
                    yield Errno.EINVAL.negated();
                }
                int check = checkFeature(argument, flags, SET, 0);
                if (check > 0) {
                    device.optInToPrecopyInfoV2();
                }
                yield Math.min(check, 0);
            }
            default -> Errno.ENOTTY.negated();
        };
    }

    /** The kernel's {@code vfio_check_feature}: 1 to go on, 0 for a probe that is done, or -errno. */
    private static int checkFeature(MemorySegment argument, int flags, int supported, long payloadBytes) {
        if ((flags & (GET | SET) & ~supported) != 0) {
            return Errno.EINVAL.negated();
        }
        if ((flags & PROBE) != 0) {
            return 0;
        }
        if ((flags & (GET | SET)) == 0) {
            return Errno.EINVAL.negated();
        }
        long total = VfioDeviceFeature.STRUCT.size() + payloadBytes;
        if (Integer.toUnsignedLong(VfioDeviceFeature.ARGSZ.get(argument)) < total) {
            return Errno.EINVAL.negated();
        }
        return argument.byteSize() < total ? Errno.EFAULT.negated() : 1;
    }

    private static MemorySegment payload(MemorySegment argument) {
        return VfioDeviceFeature.DATA.of(argument);
    }

    private int setState(MemorySegment payload) {
        int fd = device.setState(VfioDeviceFeatureMigState.DEVICE_STATE.get(payload));
        VfioDeviceFeatureMigState.DATA_FD.set(payload, fd >= 0 ? fd : -1);
        return fd >= 0 || fd == EmulatedDevice.NO_FD ? 0 : fd;
    }

    private int getState(MemorySegment payload) {
        int state = device.stateByCall();
        if (state < 0) {
            return state;
        }
        VfioDeviceFeatureMigState.DEVICE_STATE.set(payload, state);
        VfioDeviceFeatureMigState.DATA_FD.set(payload, -1);
        return 0;
    }

    private int dataSize(MemorySegment payload) {
        long length = device.dataSizeByCall();
        if (length < 0) {
            return (int) length;
        }
        VfioDeviceFeatureMigDataSize.STOP_COPY_LENGTH.set(payload, length);
        return 0;
    }
}
