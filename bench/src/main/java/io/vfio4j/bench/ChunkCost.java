// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.DeviceAddress;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.SavingSession;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.device.VfioHost;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
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
 * What a single chunk costs on its way from the driver to the peer: a buffer of the pool, a read of the session, a
 * frame, a write, and the buffer given back.
 *
 * <p>An operation is a chunk, so what JMH's gc profiler counts per operation is what a chunk allocates: 0 B. The device
 * is in pre-copy and never runs dry, for its reads are answered by {@code /dev/zero}: a driver as fast as memory.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class ChunkCost {
    private static final String DEVICE = "emulated:size=1MiB";
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("emulated", "vfio4j-emulator");

    /** How many bytes are read at once. */
    @Param({"4096", "65536", "1048576"})
    public int bytes;

    /** Where to; not to a file, for it would grow without an end. */
    @Param({"NULL", "TCP", "UNIX"})
    public SaveThroughput.Target target = SaveThroughput.Target.NULL;

    private final LibC libc = LibC.system();
    private int zero;

    @SuppressWarnings("NullAway.Init") // begin() makes them
    private EmulatedKernel kernel;

    @SuppressWarnings("NullAway.Init")
    private VfioDevice device;

    @SuppressWarnings("NullAway.Init")
    private SavingSession session;

    @SuppressWarnings("NullAway.Init")
    private BufferPool pool;

    @SuppressWarnings("NullAway.Init")
    private Sink sink;

    /** A device whose every read fills all of the buffer. */
    private final class Endless extends ForwardingLibC {
        Endless(LibC real) {
            super(real);
        }

        @Override
        public long read(int fd, MemorySegment buffer, long offset, long length) {
            return libc.read(zero, buffer, offset, length);
        }
    }

    /**
     * Starts pre-copy, and connects.
     *
     * @throws IOException when the sink cannot be made
     */
    @Setup(Level.Trial)
    public void open() throws IOException {
        // JMH counts the last tear-down with the last iteration, and what is closed for the first time loads classes.
        begin();
        close();
        begin();
    }

    private void begin() throws IOException {
        kernel = new EmulatedKernel(libc, System::nanoTime);
        zero = libc.open("/dev/zero", LibC.O_RDONLY | LibC.O_CLOEXEC);
        String path = kernel.add(EmulatedDeviceSpec.parse(DEVICE)).cdevPath();
        device = new VfioHost(new Endless(kernel), Path.of("/sys"), Path.of("/dev"))
                .open(DeviceAddress.parse(path), IDENTITY);
        session = device.startSaving(MigrationState.PRE_COPY, MigrationState.RUNNING);
        pool = new BufferPool(libc, 2, bytes, false);
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
        pool.close();
        session.close();
        device.close();
        kernel.close();
        libc.close(zero);
    }

    /**
     * Moves a chunk.
     *
     * @return how many bytes that were
     * @throws IOException when the sink fails
     */
    @Benchmark
    public long move() throws IOException {
        PooledBuffer chunk = pool.tryAcquire();
        if (chunk == null) {
            throw new IllegalStateException("a buffer was not given back");
        }
        long read = session.read(chunk.memory(), PooledBuffer.HEAD_ROOM, bytes);
        chunk.length((int) read);
        sink.write(chunk);
        pool.release(chunk);
        return read;
    }
}
