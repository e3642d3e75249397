// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.sun.management.ThreadMXBean;
import io.vfio4j.ffm.vfio.DataFd;
import io.vfio4j.ffm.vfio.DeviceFd;
import io.vfio4j.ffm.vfio.VfioDeviceInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** A call through the bindings allocates nothing on the heap, once the compiler has seen it often enough. */
class AllocationTest {
    private static final int CALLS = 100_000;
    private static final int MOST_ROUNDS = 200;
    private static final long TOLERANCE = 512;

    @FunctionalInterface
    private interface Call {
        long make();
    }

    @TestFactory
    Stream<DynamicTest> shouldAllocateNothingPerCall() {
        LibC libc = LibC.system();
        Arena arena = Arena.ofAuto();
        int file = libc.memfdCreate("allocation-test", LibC.MFD_CLOEXEC);
        assertThat(libc.ftruncate(file, 4096)).isZero();
        int zero = libc.open("/dev/zero", LibC.O_RDWR | LibC.O_CLOEXEC);
        DataFd data = new DataFd(libc, zero);
        DeviceFd device = new DeviceFd(libc, file);
        MemorySegment buffer = arena.allocate(4096, 8);
        MemorySegment info = VfioDeviceInfo.STRUCT.allocate(arena);
        MemorySegment poll = PollFd.STRUCT.allocate(arena);
        PollFd.FD.set(poll, zero);
        PollFd.EVENTS.set(poll, LibC.POLLIN);
        long fionread = 0x541b;
        return Stream.of(
                        measured("ioctl that fails, by pointer", Errno.ENOTTY.negated(), () -> {
                            VfioDeviceInfo.ARGSZ.set(info, (int) VfioDeviceInfo.STRUCT.size());
                            return device.getInfo(info);
                        }),
                        measured("ioctl that fails, by value", Errno.ENOTTY.negated(), device::reset),
                        measured("ioctl that succeeds", 4096, () -> {
                            int result = libc.ioctl(file, fionread, buffer);
                            return result < 0 ? result : buffer.get(JAVA_INT, 0);
                        }),
                        measured("read", 64, () -> data.read(buffer, 128, 64)),
                        measured("write", 64, () -> data.write(buffer, 128, 64)),
                        measured("pread", 64, () -> libc.pread(file, buffer, 128, 64, 8)),
                        measured("pwrite", 64, () -> libc.pwrite(file, buffer, 128, 64, 8)),
                        measured("poll", 1, () -> libc.poll(poll, 1, 0)))
                .onClose(() -> {
                    libc.close(file);
                    libc.close(zero);
                });
    }

    @Test
    void shouldNoticeACallThatAllocates() {
        LibC libc = LibC.system();
        Call allocates = () -> libc.open("/", LibC.O_WRONLY);
        assertThat(allocatedBytes(allocates, Errno.EISDIR.negated())).isGreaterThan(CALLS);
    }

    private static DynamicTest measured(String name, long expected, Call call) {
        return dynamicTest(name, () -> {
            long allocated = Long.MAX_VALUE;
            int round = 0;
            // The compiler takes its own time: the first round that it is done with counts.
            while (allocated > TOLERANCE && round++ < MOST_ROUNDS) {
                allocated = allocatedBytes(call, expected);
            }
            assertThat(allocated)
                    .as("bytes in %d calls, after %d rounds", CALLS, round)
                    .isLessThanOrEqualTo(TOLERANCE);
        });
    }

    private static long allocatedBytes(Call call, long expected) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        long wrong = repeat(call, expected);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        assertThat(wrong).as("calls with another result").isZero();
        return allocated;
    }

    private static long repeat(Call call, long expected) {
        long wrong = 0;
        for (int i = 0; i < CALLS; i++) {
            wrong += call.make() == expected ? 0 : 1;
        }
        return wrong;
    }
}
