// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.vfio4j.testing.LeakCheck;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The bytes of the format, as files that were written once: docs/stream-format.md describes them. A change that alters
 * one of them is a new version of the format.
 */
@ExtendWith(LeakCheck.class)
class GoldenStreamTest {
    private static final UUID MIGRATION = UUID.fromString("01234567-89ab-cdef-fedc-ba9876543210");
    private static final byte[] DATA = "state of a device".getBytes(StandardCharsets.US_ASCII);

    private final Frames frames = new Frames(1 << 16);

    @AfterEach
    void close() {
        frames.close();
    }

    /** Each is the first frame of its connection. */
    static Stream<Arguments> messages() {
        return Stream.of(
                arguments(
                        FrameKind.HELLO,
                        0,
                        new Message.Hello(
                                MIGRATION,
                                1 << 20,
                                List.of(
                                        new Message.Offer(
                                                "net0",
                                                "vfio",
                                                1,
                                                Map.of(
                                                        "type",
                                                        "pci:15b3:101e:15b3:0058",
                                                        "driver",
                                                        "mlx5_vfio_pci",
                                                        "features",
                                                        "7")),
                                        new Message.Offer("clock", "small", 3, Map.of())))),
                arguments(FrameKind.ACCEPT, 0, new Message.Accept(1_234_567, 7_654_321)),
                arguments(FrameKind.REFUSE, 0, new Message.Failure("other device: Gerät")),
                arguments(FrameKind.ATTACH, 1, new Message.Attach(MIGRATION)),
                arguments(FrameKind.PING, 1, new Message.Empty()),
                arguments(FrameKind.END, 1, new Message.End(3, 3_000_000_000L)),
                arguments(FrameKind.LOADED, 0, new Message.Timed(42)),
                arguments(FrameKind.COMMIT, 0, new Message.Empty()),
                arguments(FrameKind.RUNNING, 0, new Message.Timed(-1)),
                arguments(FrameKind.ABORT, 0, new Message.Failure("")),
                arguments(FrameKind.ACK_WANTED, 1, new Message.Ack(1, 2)),
                arguments(FrameKind.ACK, 0, new Message.Ack(1, 2)),
                arguments(FrameKind.SWITCHOVER, 1, new Message.Empty()),
                arguments(FrameKind.LATER, 1, new Message.Empty()),
                arguments(
                        FrameKind.COMPLETE,
                        0,
                        new Message.Complete(42, List.of(new Message.Missing(2, "disk0: no space")))),
                arguments(
                        FrameKind.PLACES,
                        0,
                        new Message.Places(
                                40_960, List.of(new Message.Area(1, 4096, 5), new Message.Area(3, 24_576, 4)))));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void shouldWriteTheGoldenBytes(FrameKind kind, int stream, Message message) throws IOException {
        assertThat(frames.encode(new FrameEncoder(stream), kind, message)).isEqualTo(golden(kind));
    }

    @ParameterizedTest
    @MethodSource("messages")
    void shouldReadTheGoldenBytes(FrameKind kind, int stream, Message message) throws IOException {
        FrameDecoder decoder = new FrameDecoder(stream);

        assertThat(frames.decode(decoder, golden(kind))).isEqualTo(kind);
        assertThat(read(kind, frames.payload(decoder))).isEqualTo(message);
    }

    @Test
    void shouldWriteAndReadTheGoldenDataFrame() throws IOException {
        assertThat(frames.encodeData(new FrameEncoder(1), DATA)).isEqualTo(golden(FrameKind.DATA));

        FrameDecoder decoder = new FrameDecoder(1);
        assertThat(frames.decode(decoder, golden(FrameKind.DATA))).isEqualTo(FrameKind.DATA);
        byte[] payload = new byte[DATA.length];
        frames.payload(decoder).get(payload);
        assertThat(payload).isEqualTo(DATA);
    }

    @Test
    void shouldReadTheGoldenExtraFrame() throws IOException {
        FrameDecoder decoder = new FrameDecoder(1);
        assertThat(frames.decode(decoder, golden(FrameKind.EXTRA))).isEqualTo(FrameKind.EXTRA);
        byte[] payload = new byte[DATA.length];
        frames.payload(decoder).get(payload);
        assertThat(payload).isEqualTo(DATA);
        // It is none of the state's bytes.
        decoder.verifyTotals(1, new Message.End(0, 0));
    }

    @Test
    void shouldWriteTheGoldenTableOfPages() throws IOException {
        byte[] golden = golden(FrameKind.PAGES);
        PageTable.Writer writer = new PageTable.Writer();

        byte[] frame = frames.encodePages(new FrameEncoder(1), writer, 2 * PageTable.PAGE_BYTES, () -> {
            writer.present(0, 5);
            writer.page(checksum(golden, golden.length - 2 * PageTable.PAGE_BYTES));
            writer.page(checksum(golden, golden.length - PageTable.PAGE_BYTES));
            writer.zero(1, 7, 1000);
        });

        assertThat(frame).isEqualTo(Arrays.copyOf(golden, golden.length - 2 * PageTable.PAGE_BYTES));
    }

    private static int checksum(byte[] bytes, int page) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, page, PageTable.PAGE_BYTES);
        return (int) crc.getValue();
    }

    @Test
    void shouldReadTheGoldenTableOfPages() throws IOException {
        byte[] golden = golden(FrameKind.PAGES);
        FrameDecoder decoder = new FrameDecoder(1);
        PageTable.Reader reader = new PageTable.Reader();

        assertThat(frames.decode(decoder, Arrays.copyOf(golden, golden.length - 2 * PageTable.PAGE_BYTES)))
                .isEqualTo(FrameKind.PAGES);

        reader.begin(frames.payload(decoder));
        assertThat(reader.next()).isTrue();
        assertThat(reader.isPresent()).isTrue();
        assertThat(List.of(reader.region(), reader.first(), reader.count())).isEqualTo(List.of(0, 5L, 2));
        assertThat(reader.checksum(0)).isEqualTo(checksum(golden, golden.length - 2 * PageTable.PAGE_BYTES));
        assertThat(reader.checksum(1)).isEqualTo(checksum(golden, golden.length - PageTable.PAGE_BYTES));
        assertThat(reader.next()).isTrue();
        assertThat(reader.isPresent()).isFalse();
        assertThat(List.of(reader.region(), reader.first(), reader.count())).isEqualTo(List.of(1, 7L, 1000));
        assertThat(reader.next()).isFalse();
        frames.countPages(decoder, 2 * PageTable.PAGE_BYTES);
        decoder.verifyTotals(1, new Message.End(1, 2 * PageTable.PAGE_BYTES));
    }

    @Test
    void shouldHaveAGoldenFileForEveryKind() throws IOException {
        for (FrameKind kind : FrameKind.values()) {
            assertThat(golden(kind)).startsWith('V', 'F', '4', 'J').hasSizeGreaterThanOrEqualTo(Frame.HEADER_BYTES);
        }
        assertThat(Arrays.stream(FrameKind.values()).map(FrameKind::code))
                .containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
    }

    static Message read(FrameKind kind, ByteBuffer payload) throws StreamException {
        return switch (kind) {
            case HELLO -> Message.Hello.readFrom(payload);
            case ACCEPT -> Message.Accept.readFrom(payload);
            case REFUSE, ABORT -> Message.Failure.readFrom(kind, payload);
            case ATTACH -> Message.Attach.readFrom(payload);
            case END -> Message.End.readFrom(payload);
            case LOADED, RUNNING -> Message.Timed.readFrom(kind, payload);
            case ACK_WANTED, ACK -> Message.Ack.readFrom(kind, payload);
            case COMPLETE -> Message.Complete.readFrom(payload);
            case PLACES -> Message.Places.readFrom(payload);
            case PING, COMMIT, SWITCHOVER, LATER, DATA, EXTRA, PAGES -> new Message.Empty();
        };
    }

    private static byte[] golden(FrameKind kind) throws IOException {
        String name = kind.name().toLowerCase(Locale.ROOT) + ".bin";
        try (@Nullable InputStream file = GoldenStreamTest.class.getResourceAsStream(name)) {
            assertThat(file).as(name).isNotNull();
            return file == null ? new byte[0] : file.readAllBytes();
        }
    }
}
