// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.it;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.vfio4j.ffm.LibC;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.SystemTransport;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A connection over a caller's fd allocates nothing on the heap per chunk, once the compiler has seen it often enough.
 */
@ExtendWith(LeakCheck.class)
class GivenFdAllocationTest {
    private static final int CHUNKS = 20_000;
    private static final int MOST_ROUNDS = 100;
    private static final long TOLERANCE = 512;
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @Test
    void shouldAllocateNothingPerChunk() throws TransportException {
        LibC libc = LibC.system();
        int[] pair = socketpair(libc);
        try (SystemTransport transport = new SystemTransport(
                        libc, work -> Thread.ofPlatform().name("vfio4j-test").start(work));
                Connection ours = transport.connect(new TransportAddress.Fds(List.of(pair[0])), LIMIT);
                Connection theirs = transport.connect(new TransportAddress.Fds(List.of(pair[1])), LIMIT)) {
            ByteBuffer chunk = ByteBuffer.allocateDirect(4096);
            long allocated = Long.MAX_VALUE;
            int round = 0;
            // The compiler takes its own time: the first round that it is done with counts.
            while (allocated > TOLERANCE && round++ < MOST_ROUNDS) {
                allocated = allocatedBytes(ours, theirs, chunk);
            }
            assertThat(allocated)
                    .as("bytes in %d chunks, after %d rounds", CHUNKS, round)
                    .isLessThanOrEqualTo(TOLERANCE);
        } finally {
            libc.close(pair[0]);
            libc.close(pair[1]);
        }
    }

    private static long allocatedBytes(Connection from, Connection to, ByteBuffer chunk) throws TransportException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < CHUNKS; i++) {
            from.write(chunk.clear());
            to.read(chunk.clear());
        }
        return threads.getCurrentThreadAllocatedBytes() - before;
    }

    private static int[] socketpair(LibC libc) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pair = arena.allocate(JAVA_INT, 2);
            assertThat(libc.socketpair(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, pair))
                    .isZero();
            return pair.toArray(JAVA_INT);
        }
    }
}
