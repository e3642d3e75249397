// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.FrameDecoder;
import io.vfio4j.stream.FrameEncoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.StreamException;
import java.nio.ByteBuffer;
import java.util.Objects;
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
 * What a frame costs on each side. Every frame of the stream has a checksum: without it means a payload of 0 bytes at
 * the source, and {@link #decodeHeader} alone at the destination.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class FrameCost {
    private static final int STREAM = 1;
    private static final int LARGEST = 4 << 20;

    private final FrameEncoder encoder = new FrameEncoder(STREAM);
    private final FrameDecoder headers = new FrameDecoder(STREAM);
    private final FrameDecoder payloads = new FrameDecoder(STREAM);

    /** How long the payload is, in bytes; 0 for a header alone. */
    @Param({"0", "4096", "1048576", "4194304"})
    public int bytes;

    @SuppressWarnings("NullAway.Init") // open() makes them
    private BufferPool pool;

    @SuppressWarnings("NullAway.Init")
    private PooledBuffer outgoing;

    @SuppressWarnings("NullAway.Init")
    private PooledBuffer incoming;

    /** Makes a buffer to encode, and one that has the first frame of a stream in it. */
    @Setup(Level.Trial)
    public void open() {
        pool = new BufferPool(LibC.system(), 2, LARGEST, false);
        outgoing = Objects.requireNonNull(pool.tryAcquire());
        incoming = Objects.requireNonNull(pool.tryAcquire());
        outgoing.length(bytes);
        incoming.length(bytes);
        new FrameEncoder(STREAM).encode(incoming, FrameKind.DATA);
    }

    /** Frees them. */
    @TearDown(Level.Trial)
    public void close() {
        pool.release(outgoing);
        pool.release(incoming);
        pool.close();
    }

    /**
     * The source's part: checksums and header.
     *
     * @return the frame
     */
    @Benchmark
    public ByteBuffer encode() {
        return encoder.encode(outgoing, FrameKind.DATA);
    }

    /**
     * The destination's first part, by which it knows what comes. It does not go on to the next frame, so that the same
     * one is right each time.
     *
     * @return what the frame carries
     * @throws StreamException never
     */
    @Benchmark
    public FrameKind decodeHeader() throws StreamException {
        return headers.decodeHeader(incoming);
    }

    /**
     * The destination's second part: the payload's checksum.
     *
     * @return the buffer
     * @throws StreamException never
     */
    @Benchmark
    public PooledBuffer verifyPayload() throws StreamException {
        payloads.verifyPayload(incoming, FrameKind.DATA);
        return incoming;
    }
}
