// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.Struct;
import io.vfio4j.ffm.iommufd.IommuFd;
import io.vfio4j.ffm.iommufd.IommuIoasAlloc;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.Vfio;
import io.vfio4j.ffm.vfio.VfioDeviceAttachIommufdPt;
import io.vfio4j.ffm.vfio.VfioDeviceBindIommufd;
import io.vfio4j.ffm.vfio.VfioDeviceFeature;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigDataSize;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigState;
import io.vfio4j.ffm.vfio.VfioDeviceFeatureMigration;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A device opened as a cdev, driven ioctl by ioctl as a program on the real kernel would. */
final class OpenDevice implements AutoCloseable {
    static final int GET = Vfio.VFIO_DEVICE_FEATURE_GET;
    static final int SET = Vfio.VFIO_DEVICE_FEATURE_SET;
    static final int PROBE = Vfio.VFIO_DEVICE_FEATURE_PROBE;

    /** What a SET of the state answered. */
    record Reply(int result, int dataFd) {}

    /** What PRECOPY_INFO answered. */
    record PrecopyReply(int result, int flags, long initialBytes, long dirtyBytes) {}

    final EmulatedDevice device;
    final DeviceFd fd;
    private final LibC libc;
    private final int iommufd;
    private final Arena arena = Arena.ofShared();
    private final List<Integer> dataFds = new ArrayList<>();

    OpenDevice(EmulatedKernel kernel, EmulatedDevice device) {
        this.libc = kernel;
        this.device = device;
        this.fd = new DeviceFd(kernel, kernel.open(device.cdevPath(), LibC.O_RDWR | LibC.O_CLOEXEC));
        this.iommufd = kernel.open(IommuFd.PATH, LibC.O_RDWR | LibC.O_CLOEXEC);
        assertThat(bind(fd, iommufd, arena)).isZero();
        MemorySegment ioas = sized(IommuIoasAlloc.STRUCT, arena);
        assertThat(new IommuFd(kernel, iommufd).ioasAlloc(ioas)).isZero();
        MemorySegment attach = VfioDeviceAttachIommufdPt.STRUCT.allocate(arena);
        VfioDeviceAttachIommufdPt.ARGSZ.set(attach, VfioDeviceAttachIommufdPt.SIZE_WITHOUT_PASID);
        VfioDeviceAttachIommufdPt.PT_ID.set(attach, IommuIoasAlloc.OUT_IOAS_ID.get(ioas));
        assertThat(fd.attachIommufdPt(attach)).isZero();
    }

    static int bind(DeviceFd fd, int iommufd, Arena arena) {
        MemorySegment bind = VfioDeviceBindIommufd.STRUCT.allocate(arena);
        VfioDeviceBindIommufd.ARGSZ.set(bind, VfioDeviceBindIommufd.SIZE_WITHOUT_TOKEN);
        VfioDeviceBindIommufd.IOMMUFD.set(bind, iommufd);
        return fd.bindIommufd(bind);
    }

    /** Allocates a struct that begins with its own size. */
    static MemorySegment sized(Struct struct, Arena arena) {
        MemorySegment argument = struct.allocate(arena);
        ((Struct.U32) struct.fields().getFirst()).set(argument, (int) struct.size());
        return argument;
    }

    MemorySegment feature(int flags, long payloadBytes) {
        long size = VfioDeviceFeature.STRUCT.size() + payloadBytes;
        MemorySegment argument = arena.allocate(size, 8).fill((byte) 0);
        VfioDeviceFeature.ARGSZ.set(argument, (int) size);
        VfioDeviceFeature.FLAGS.set(argument, flags);
        return argument;
    }

    int probe(int feature, int operations) {
        return fd.feature(feature(PROBE | operations | feature, 0));
    }

    Reply set(int state) {
        MemorySegment argument =
                feature(SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, VfioDeviceFeatureMigState.STRUCT.size());
        MemorySegment payload = VfioDeviceFeature.DATA.of(argument);
        VfioDeviceFeatureMigState.DEVICE_STATE.set(payload, state);
        VfioDeviceFeatureMigState.DATA_FD.set(payload, 12345);
        int result = fd.feature(argument);
        int dataFd = VfioDeviceFeatureMigState.DATA_FD.get(payload);
        if (dataFd >= 0) {
            dataFds.add(dataFd);
        }
        return new Reply(result, dataFd);
    }

    /** Sets a state that opens a session, and returns the session's fd. */
    int open(int state) {
        Reply reply = set(state);
        assertThat(reply.result())
                .as(() -> "SET: " + Errno.describe(reply.result()))
                .isZero();
        assertThat(reply.dataFd()).isNotNegative();
        return reply.dataFd();
    }

    /** Sets a state that opens no session. */
    void move(int state) {
        assertThat(set(state)).isEqualTo(new Reply(0, -1));
    }

    int state() {
        MemorySegment argument =
                feature(GET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, VfioDeviceFeatureMigState.STRUCT.size());
        int result = fd.feature(argument);
        return result < 0 ? result : VfioDeviceFeatureMigState.DEVICE_STATE.get(VfioDeviceFeature.DATA.of(argument));
    }

    long features() {
        MemorySegment argument =
                feature(GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION, VfioDeviceFeatureMigration.STRUCT.size());
        assertThat(fd.feature(argument)).isZero();
        return VfioDeviceFeatureMigration.FLAGS.get(VfioDeviceFeature.DATA.of(argument));
    }

    long dataSize() {
        MemorySegment argument =
                feature(GET | Vfio.VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, VfioDeviceFeatureMigDataSize.STRUCT.size());
        int result = fd.feature(argument);
        return result < 0
                ? result
                : VfioDeviceFeatureMigDataSize.STOP_COPY_LENGTH.get(VfioDeviceFeature.DATA.of(argument));
    }

    int optInToPrecopyInfoV2() {
        return fd.feature(feature(SET | Vfio.VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, 0));
    }

    PrecopyReply info(int dataFd) {
        MemorySegment info = sized(VfioPrecopyInfo.STRUCT, arena);
        VfioPrecopyInfo.FLAGS.set(info, 0xeeeeeeee);
        int result = libc.ioctl(dataFd, Vfio.VFIO_MIG_GET_PRECOPY_INFO, info);
        return new PrecopyReply(
                result,
                VfioPrecopyInfo.FLAGS.get(info),
                VfioPrecopyInfo.INITIAL_BYTES.get(info),
                VfioPrecopyInfo.DIRTY_BYTES.get(info));
    }

    @Override
    public void close() {
        dataFds.forEach(libc::close);
        libc.close(fd.fd());
        libc.close(iommufd);
        arena.close();
    }
}
