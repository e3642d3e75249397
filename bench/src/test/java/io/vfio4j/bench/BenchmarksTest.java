// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.testing.LeakCheck;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The benchmarks do what they say, and leave no fd, thread or file; how fast, is not asked here. */
@ExtendWith(LeakCheck.class)
class BenchmarksTest {
    private static final String DEVICE = "emulated:size=4MiB";
    private static final String NONE = "/dev/vfio/devices/vfio99999";
    private static final int CHUNK_BYTES = 1 << 20;

    @ParameterizedTest
    @EnumSource
    void shouldSaveTheWholeStateEachTime(SaveThroughput.Target target) throws Exception {
        SaveThroughput benchmark = new SaveThroughput();
        SaveThroughput.Saved saved = new SaveThroughput.Saved();
        benchmark.device = DEVICE;
        benchmark.chunkBytes = CHUNK_BYTES;
        benchmark.target = target;
        benchmark.open();
        try {
            assertThat(benchmark.save(saved)).isGreaterThan(4L << 20);
            assertThat(benchmark.save(saved)).isGreaterThan(4L << 20);
        } finally {
            benchmark.close();
        }
        assertThat(saved.mib).isEqualTo(8);
    }

    @ParameterizedTest
    @EnumSource(names = {"NULL", "TCP", "UNIX"})
    void shouldMoveAWholeChunkEachTime(SaveThroughput.Target target) throws Exception {
        ChunkCost benchmark = new ChunkCost();
        benchmark.bytes = CHUNK_BYTES;
        benchmark.target = target;
        benchmark.open();
        try {
            // More than the emulated device has.
            for (int i = 0; i < 3; i++) {
                assertThat(benchmark.move()).isEqualTo(CHUNK_BYTES);
            }
        } finally {
            benchmark.close();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"OFF", "ON"})
    void shouldMigrateTheWholeStateEachTime(Overlap overlap) throws Exception {
        PreCopyThroughput benchmark = new PreCopyThroughput();
        PreCopyThroughput.Moved moved = new PreCopyThroughput.Moved();
        benchmark.device = DEVICE;
        benchmark.chunkBytes = CHUNK_BYTES;
        benchmark.overlap = overlap;
        benchmark.open();
        try {
            benchmark.migrate(moved);
            benchmark.migrate(moved);
        } finally {
            benchmark.close();
        }
        assertThat(moved.preCopyMiB).isEqualTo(8);
    }

    @Test
    void shouldLeaveNothingOpenWhereADeviceCannotBeOpened() {
        assertThatThrownBy(() -> new MigrationPair(DEVICE, NONE)).hasMessageContaining(NONE);
        assertThatThrownBy(() -> new MigrationPair(NONE, DEVICE)).hasMessageContaining(NONE);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 4096})
    void shouldEncodeAndDecodeTheSameFrameAgainAndAgain(int bytes) throws Exception {
        FrameCost benchmark = new FrameCost();
        benchmark.bytes = bytes;
        benchmark.open();
        try {
            for (int i = 0; i < 3; i++) {
                assertThat(benchmark.encode().remaining()).isEqualTo(32 + bytes);
                assertThat(benchmark.decodeHeader()).hasToString("DATA");
                assertThat(benchmark.verifyPayload().length()).isEqualTo(bytes);
            }
        } finally {
            benchmark.close();
        }
    }

    @Test
    void shouldReadTheWholeBuffer() {
        ChecksumRate benchmark = new ChecksumRate();
        benchmark.bytes = 4096;
        ChecksumRate.Passed passed = new ChecksumRate.Passed();
        benchmark.open();
        try {
            assertThat(benchmark.crc32c(passed))
                    .isEqualTo(benchmark.crc32c(passed))
                    .isNotZero();
            assertThat(benchmark.plainSum(passed))
                    .isEqualTo(benchmark.plainSum(passed))
                    .isNotZero();
        } finally {
            benchmark.close();
        }
        assertThat(passed.kib).isEqualTo(16);
    }

    @Test
    void shouldCallTheKernel() {
        BindingCost benchmark = new BindingCost();
        BindingCost.Length length = new BindingCost.Length();
        length.bytes = 4096;
        benchmark.open();
        try {
            assertThat(benchmark.ioctl()).isZero();
            assertThat(benchmark.read(length)).isEqualTo(4096);
        } finally {
            benchmark.close();
        }
    }

    @Test
    void shouldGiveEachBufferBack() {
        PoolCost benchmark = new PoolCost();
        benchmark.open();
        try {
            assertThat(benchmark.acquireAndRelease1()).isSameAs(benchmark.acquireAndRelease8());
        } finally {
            benchmark.close();
        }
    }
}
