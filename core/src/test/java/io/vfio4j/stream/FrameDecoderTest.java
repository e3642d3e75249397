// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.vfio4j.stream.StreamException.Problem;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class FrameDecoderTest {
    private static final int KIND = 5;
    private static final int STREAM = 6;
    private static final int LENGTH = 8;
    private static final int SEQUENCE = 16;
    private static final int HEADER_CRC = 28;

    private final Seed seed = new Seed();
    private final Frames frames = new Frames(1 << 16);

    @AfterEach
    void close() {
        frames.close();
    }

    @Test
    void shouldReadWhatWasWritten() throws StreamException {
        Random random = seed.random();
        FrameEncoder encoder = new FrameEncoder(7);
        FrameDecoder decoder = new FrameDecoder(7);
        long bytes = 0;
        for (int i = 0; i < 50; i++) {
            byte[] payload = new byte[i == 0 ? 0 : random.nextInt(1 << 16)];
            random.nextBytes(payload);
            assertThat(frames.decode(decoder, frames.encodeData(encoder, payload)))
                    .isEqualTo(FrameKind.DATA);
            byte[] read = new byte[payload.length];
            frames.payload(decoder).get(read);
            assertThat(read).as(seed.toString()).isEqualTo(payload);
            bytes += payload.length;
            assertThat(frames.decode(decoder, frames.encode(encoder, FrameKind.PING, new Message.Empty())))
                    .isEqualTo(FrameKind.PING);
        }
        assertThat(encoder.totals()).isEqualTo(new Message.End(50, bytes));
        decoder.verifyTotals(7, encoder.totals());
    }

    @Test
    void shouldDetectEveryChangeOfEveryHeaderByte() {
        byte[] frame = frames.encodeData(new FrameEncoder(1), new byte[] {1, 2, 3});
        for (int at = 0; at < Frame.HEADER_BYTES; at++) {
            for (int change = 1; change < 256; change++) {
                byte[] altered = frame.clone();
                altered[at] ^= (byte) change;
                StreamException e = failing(() -> frames.decode(new FrameDecoder(1), altered));
                assertThat(e.problem())
                        .as("byte %d xor %d", at, change)
                        .isEqualTo(at < 4 ? Problem.NOT_VFIO4J : at == 4 ? Problem.OTHER_VERSION : Problem.DAMAGED);
            }
        }
    }

    @Test
    void shouldDetectAlteredPayloads() {
        Random random = seed.random();
        byte[] payload = new byte[10_000];
        random.nextBytes(payload);
        byte[] frame = frames.encodeData(new FrameEncoder(1), payload);
        for (int i = 0; i < 500; i++) {
            byte[] altered = frame.clone();
            int flips = 1 + random.nextInt(4);
            for (int flip = 0; flip < flips; flip++) {
                altered[Frame.HEADER_BYTES + random.nextInt(payload.length)] ^= (byte) (1 << random.nextInt(8));
            }
            if (Arrays.equals(altered, frame)) {
                continue;
            }
            StreamException e = failing(() -> frames.decode(new FrameDecoder(1), altered));
            assertThat(e.problem()).as(seed.toString()).isEqualTo(Problem.DAMAGED);
            assertThat(e).hasMessage("the payload of frame 0 is damaged");
        }
    }

    @Test
    void shouldNameBothVersionsWhenTheyDiffer() {
        byte[] frame = frames.encode(new FrameEncoder(0), FrameKind.PING, new Message.Empty());
        frame[4] = 4;

        assertThat(failing(() -> frames.decode(new FrameDecoder(0), frame)))
                .hasMessage("the stream has version 4, this vfio4j speaks version 3");
    }

    @Test
    void shouldDetectFramesThatAreMissingRepeatedOrSwapped() throws StreamException {
        FrameEncoder encoder = new FrameEncoder(1);
        byte[] first = frames.encodeData(encoder, new byte[] {1});
        byte[] second = frames.encodeData(encoder, new byte[] {2});

        assertThat(failing(() -> frames.decode(new FrameDecoder(1), second)).problem())
                .isEqualTo(Problem.DAMAGED);
        FrameDecoder decoder = new FrameDecoder(1);
        frames.decode(decoder, first);
        assertThat(failing(() -> frames.decode(decoder, first))).hasMessage("frame 1 is missing: frame 0 came instead");
        frames.decode(decoder, second);
    }

    @Test
    void shouldDetectTotalsThatDiffer() throws StreamException {
        FrameEncoder encoder = new FrameEncoder(1);
        FrameDecoder decoder = new FrameDecoder(1);
        frames.decode(decoder, frames.encodeData(encoder, new byte[] {1, 2}));

        decoder.verifyTotals(1, new Message.End(1, 2));
        assertThat(failing(() -> decoder.verifyTotals(1, new Message.End(2, 2))).problem())
                .isEqualTo(Problem.DAMAGED);
        assertThat(failing(() -> decoder.verifyTotals(1, new Message.End(1, 3))))
                .hasMessage("the source sent 3 bytes in 1 frames, but 2 bytes in 1 frames came");
    }

    @Test
    void shouldKeepTheOrdersAndTotalsOfSeveralStreamsApart() throws StreamException {
        FrameEncoder one = new FrameEncoder(1);
        FrameEncoder two = new FrameEncoder(2);
        FrameDecoder decoder = new FrameDecoder(1, 2);
        frames.decode(decoder, frames.encodeData(two, new byte[] {1}));
        frames.decode(decoder, frames.encodeData(one, new byte[] {1, 2}));
        frames.decode(decoder, frames.encodeData(two, new byte[] {1, 2, 3}));

        decoder.verifyTotals(1, new Message.End(1, 2));
        decoder.verifyTotals(2, new Message.End(2, 4));
        byte[] skipped = frames.encodeData(one, new byte[1]);
        byte[] next = frames.encodeData(one, new byte[1]);
        assertThat(skipped).isNotEqualTo(next);
        assertThat(failing(() -> frames.decode(decoder, next))).hasMessage("frame 1 is missing: frame 2 came instead");
        byte[] foreign = frames.encodeData(new FrameEncoder(3), new byte[1]);
        assertThat(failing(() -> frames.decode(decoder, foreign)))
                .hasMessage("a frame of stream 3 came in streams 1 to 2");
    }

    @Test
    void shouldRefuseAFrameOfAnotherStream() {
        byte[] frame = frames.encodeData(new FrameEncoder(65_535), new byte[1]);

        StreamException e = failing(() -> frames.decode(new FrameDecoder(1), frame));

        assertThat(e.problem()).isEqualTo(Problem.UNEXPECTED);
        assertThat(e).hasMessage("a frame of stream 65535 came in stream 1");
    }

    @Test
    void shouldRefuseKindsThatDoNotExist() {
        for (int kind : new int[] {0, 20, 127, 128, 255}) {
            byte[] frame = frames.encodeData(new FrameEncoder(1), new byte[1]);
            frame[KIND] = (byte) kind;
            seal(frame);
            assertThat(failing(() -> frames.decode(new FrameDecoder(1), frame)).problem())
                    .isEqualTo(Problem.UNEXPECTED);
        }
    }

    @Test
    void shouldRefuseLengthsBeyondTheLimits() {
        try (Frames large = new Frames(1 << 17)) {
            int messageLimit = Frame.MAX_MESSAGE;
            assertLimit(large, FrameKind.PING, messageLimit + 1, messageLimit);
            assertLimit(large, FrameKind.DATA, (1 << 17) + 1, 1 << 17);
            assertLimit(large, FrameKind.DATA, Frame.MAX_PAYLOAD + 1, 1 << 17);
            assertLimit(large, FrameKind.DATA, -1, 1 << 17);
            assertLimit(large, FrameKind.DATA, Integer.MIN_VALUE, 1 << 17);
        }
    }

    private static void assertLimit(Frames frames, FrameKind kind, int length, int limit) {
        byte[] frame = frames.encode(new FrameEncoder(1), kind, new Message.Empty());
        little(frame).putInt(LENGTH, length);
        seal(frame);
        StreamException e = failing(() -> frames.decode(new FrameDecoder(1), frame));
        assertThat(e.problem()).isEqualTo(Problem.UNEXPECTED);
        assertThat(e)
                .hasMessage("a " + kind + " frame of " + Integer.toUnsignedString(length) + " bytes; the limit is "
                        + limit);
    }

    @Test
    void shouldThrowNothingButStreamExceptionsForGarbage() {
        Random random = seed.random();
        for (int i = 0; i < 20_000; i++) {
            byte[] garbage = new byte[Frame.HEADER_BYTES + random.nextInt(100)];
            random.nextBytes(garbage);
            assertOnlyStreamException(() -> frames.decode(new FrameDecoder(1), garbage));
        }
    }

    @Test
    void shouldThrowNothingButStreamExceptionsForMutatedFrames() {
        Random random = seed.random();
        for (int i = 0; i < 40_000; i++) {
            byte[] payload = new byte[random.nextInt(64)];
            random.nextBytes(payload);
            byte[] frame = frames.encodeData(new FrameEncoder(1), payload);
            frame[KIND] = (byte) (1 + random.nextInt(FrameKind.values().length));
            // Checksums that fit let the mutation through to what lies behind them.
            for (int mutation = random.nextInt(3); mutation > 0; mutation--) {
                frame[4 + random.nextInt(frame.length - 4)] = (byte) random.nextInt();
            }
            frame[4] = 1;
            frame[STREAM] = 1;
            frame[STREAM + 1] = 0;
            little(frame).putLong(SEQUENCE, 0);
            CRC32C crc = new CRC32C();
            crc.update(frame, Frame.HEADER_BYTES, frame.length - Frame.HEADER_BYTES);
            little(frame).putInt(LENGTH + 4, (int) crc.getValue());
            seal(frame);
            assertOnlyStreamException(() -> {
                FrameDecoder decoder = new FrameDecoder(1);
                FrameKind decoded = frames.decode(decoder, frame);
                GoldenStreamTest.read(decoded, frames.payload(decoder));
            });
        }
    }

    private void assertOnlyStreamException(ThrowingCallable decoding) {
        Throwable thrown = catchThrowable(decoding);
        if (thrown != null) {
            assertThat(thrown).as(seed.toString()).isInstanceOf(StreamException.class);
        }
    }

    /** Makes the header's checksum fit again. */
    private static void seal(byte[] frame) {
        CRC32C crc = new CRC32C();
        crc.update(frame, 0, HEADER_CRC);
        little(frame).putInt(HEADER_CRC, (int) crc.getValue());
    }

    private static ByteBuffer little(byte[] frame) {
        return ByteBuffer.wrap(frame).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static StreamException failing(ThrowingCallable call) {
        StreamException e = catchThrowableOfType(StreamException.class, call);
        assertThat(e).isNotNull();
        return e;
    }
}
