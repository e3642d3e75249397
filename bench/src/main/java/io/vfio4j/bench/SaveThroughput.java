// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
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
 * How fast one thread saves a stopped device's state, by where to: the counter {@code mib} is MiB per second.
 *
 * <p>It is the loop of a migration without anything around it: read, frame, write. What NULL takes, the others have
 * left for frame and write.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class SaveThroughput {
    /** Where a state can go. */
    public enum Target {
        /** Nowhere, and without a frame. */
        NULL,
        /** A file below {@code java.io.tmpdir}, in the page cache: it is removed before it has to be on disk. */
        FILE,
        /** A thread of this process that throws all away, over loopback TCP. */
        TCP,
        /** The same over a Unix socket. */
        UNIX
    }

    /** The device that is saved. */
    @Param("emulated:size=256MiB")
    public String device = "";

    /** How many bytes are read at once. */
    @Param({"262144", "1048576", "4194304"})
    public int chunkBytes;

    /** Where to. */
    @Param
    public Target target = Target.NULL;

    private final Devices devices = new Devices();

    @SuppressWarnings("NullAway.Init") // open() makes them
    private VfioDevice source;

    @SuppressWarnings("NullAway.Init")
    private BufferPool pool;

    @SuppressWarnings("NullAway.Init")
    private PooledBuffer chunk;

    @SuppressWarnings("NullAway.Init")
    private Sink sink;

    /** What JMH reports beside the states per second. */
    @State(Scope.Thread)
    @AuxCounters(AuxCounters.Type.OPERATIONS)
    public static class Saved {
        /** How many MiB of state were saved. */
        public long mib;
    }

    /**
     * Stops the device, and connects.
     *
     * @throws IOException when the device cannot be opened or the sink not be made
     */
    @Setup(Level.Trial)
    public void open() throws IOException {
        source = devices.open(device);
        source.setState(MigrationState.STOP);
        pool = new BufferPool(devices.libc(), 1, chunkBytes, false);
        chunk = Objects.requireNonNull(pool.tryAcquire());
        sink = Sink.of(target);
    }

    /**
     * Takes all away again.
     *
     * @throws IOException when the sink did not get what was written
     */
    @TearDown(Level.Trial)
    public void close() throws IOException {
        sink.close();
        pool.release(chunk);
        pool.close();
        source.close();
        devices.close();
    }

    /**
     * Saves the whole state.
     *
     * @param saved the counter
     * @return how many bytes that were
     * @throws IOException when the device or the sink fails
     */
    @Benchmark
    public long save(Saved saved) throws IOException {
        long bytes = 0;
        sink.begin();
        try (SavingSession session = source.startSaving(MigrationState.STOP_COPY, MigrationState.STOP)) {
            long read = session.read(chunk.memory(), PooledBuffer.HEAD_ROOM, chunkBytes);
            while (read != SavingSession.END_OF_STATE) {
                chunk.length((int) read);
                sink.write(chunk);
                bytes += read;
                read = session.read(chunk.memory(), PooledBuffer.HEAD_ROOM, chunkBytes);
            }
        }
        sink.end();
        source.setState(MigrationState.STOP);
        saved.mib += bytes >> 20;
        return bytes;
    }
}
