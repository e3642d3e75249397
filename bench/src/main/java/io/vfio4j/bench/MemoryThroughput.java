// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.emulator.Loopback;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.handler.GuestMemory;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How fast guest memory moves over loopback TCP, both ends in this process, and how fast the same bytes go by a plain
 * write and read, without checksums and with them: the counter {@code mib} is MiB per second.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 3)
@Measurement(iterations = 5, time = 3)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class MemoryThroughput {
    private static final int MIB = 1 << 20;

    /** How much memory. */
    @Param("2048")
    public int memoryMiB;

    /** Whether checksums and the link overlap. */
    @Param({"OFF", "ON"})
    public Overlap overlap = Overlap.OFF;

    private final Arena arena = Arena.ofShared();
    private final Loopback loopback = new Loopback();
    private final ExecutorService reader = Executors.newSingleThreadExecutor();

    @SuppressWarnings("NullAway.Init") // fill() makes them
    private MemorySegment from;

    @SuppressWarnings("NullAway.Init")
    private MemorySegment to;

    /** What JMH reports beside the passes per second. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Moved {
        /** How many MiB. */
        public long mib;
    }

    /** Fills the memory. */
    @Setup(Level.Trial)
    public void fill() {
        from = BenchMemory.map(arena, (long) memoryMiB * MIB, BenchMemory.Content.FULL);
        to = BenchMemory.map(arena, (long) memoryMiB * MIB, BenchMemory.Content.ZERO);
    }

    /** Gives it back. */
    @TearDown(Level.Trial)
    public void free() {
        loopback.close();
        reader.close();
        arena.close();
    }

    /**
     * Migrates the memory.
     *
     * @param moved the counter
     * @return the report
     * @throws IOException when the migration fails
     */
    @Benchmark
    public MigrationReport migrate(Moved moved) throws IOException {
        moved.mib += memoryMiB;
        MigrationParameters parameters =
                MigrationParameters.builder().overlap(overlap).build();
        return loopback.migrateState(
                LibC.system(),
                List.of(BenchMemory.of(from).handler("ram")),
                List.of(BenchMemory.of(to).handler("ram")),
                parameters,
                parameters);
    }

    /**
     * Moves the same bytes by a plain write and read of 1 MiB at a time.
     *
     * @param moved the counter
     * @return how many bytes came
     * @throws IOException when the connection fails
     * @throws InterruptedException when this thread is interrupted
     */
    @Benchmark
    public long socket(Moved moved) throws IOException, InterruptedException {
        return copy(moved, part -> {});
    }

    /**
     * The same, with a checksum of each page at both ends, which is what a migration adds to it.
     *
     * @param moved the counter
     * @return how many bytes came
     * @throws IOException when the connection fails
     * @throws InterruptedException when this thread is interrupted
     */
    @Benchmark
    public long socketWithChecksums(Moved moved) throws IOException, InterruptedException {
        return copy(moved, MemoryThroughput::checksumPages);
    }

    private long copy(Moved moved, Consumer<ByteBuffer> check) throws IOException, InterruptedException {
        moved.mib += memoryMiB;
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel out = SocketChannel.open(server.getLocalAddress());
                SocketChannel in = server.accept()) {
            Future<Long> come = reader.submit(() -> {
                long bytes = 0;
                for (int i = 0; i < memoryMiB; i++) {
                    ByteBuffer part = part(to, i);
                    while (part.hasRemaining()) {
                        bytes += Math.max(0, in.read(part));
                    }
                    check.accept(part.flip());
                }
                return bytes;
            });
            for (int i = 0; i < memoryMiB; i++) {
                ByteBuffer part = part(from, i);
                check.accept(part);
                part.clear();
                while (part.hasRemaining()) {
                    out.write(part);
                }
            }
            return come.get();
        } catch (ExecutionException e) {
            throw new IOException("what was written was not read", e.getCause());
        }
    }

    private static void checksumPages(ByteBuffer part) {
        CRC32C crc = new CRC32C();
        for (int page = 0; page < part.capacity(); page += GuestMemory.PAGE_BYTES) {
            crc.reset();
            crc.update(part.limit(page + GuestMemory.PAGE_BYTES));
        }
    }

    private static ByteBuffer part(MemorySegment memory, int number) {
        return memory.asSlice((long) number * MIB, MIB).asByteBuffer();
    }
}
