// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MessageTest {
    private static final Message.Hello HELLO = new Message.Hello(
            new UUID(1, 2),
            4096,
            List.of(
                    new Message.Offer("tty", "vfio", 1, Map.of("type", "mdev:mtty-mtty-2", "driver", "vfio_mtty")),
                    new Message.Offer("clock", "small", 2, Map.of())));

    private final ByteBuffer payload = ByteBuffer.allocate(Frame.MAX_MESSAGE).order(ByteOrder.LITTLE_ENDIAN);

    @Test
    void shouldPassOverFieldsThatItDoesNotKnow() throws StreamException {
        HELLO.writeTo(payload);
        payload.putLong(-1).put((byte) 3).flip();

        assertThat(Message.Hello.readFrom(payload)).isEqualTo(HELLO);
    }

    @Test
    void shouldSayTooShortWhenAnyByteIsMissing() {
        HELLO.writeTo(payload);
        int length = payload.position();
        for (int cut = 0; cut < length; cut++) {
            payload.position(0).limit(cut);
            assertThatThrownBy(() -> Message.Hello.readFrom(payload))
                    .isInstanceOf(StreamException.class)
                    .hasMessage("the HELLO frame is too short for its fields");
        }
    }

    @Test
    void shouldHaveRoomForAsManyOffersAsThereCanBe() throws StreamException {
        String text = "x".repeat(96);
        Map<String, String> attributes = new HashMap<>();
        for (int i = 0; i < Message.Offer.MAX_ATTRIBUTES; i++) {
            attributes.put(i + text.substring(1), text);
        }
        Message.Offer offer = new Message.Offer(text, text, 1, attributes);
        Message.Hello largest =
                new Message.Hello(new UUID(1, 2), 4096, Collections.nCopies(Message.Hello.MAX_OFFERS, offer));
        largest.writeTo(payload);
        payload.flip();

        assertThat(Message.Hello.readFrom(payload)).isEqualTo(largest);
    }

    @Test
    void shouldRefuseTooManyOffers() {
        payload.putLong(1).putLong(2).putInt(4096).putShort((short) 33).flip();

        assertThatThrownBy(() -> Message.Hello.readFrom(payload))
                .isInstanceOf(StreamException.class)
                .hasMessage("33 handlers; the limit is 32");
    }

    @Test
    void shouldRefuseATextBeyondTheLimit() {
        payload.putShort((short) 1025).put(new byte[1025]).flip();

        assertThatThrownBy(() -> Message.Failure.readFrom(FrameKind.REFUSE, payload))
                .isInstanceOf(StreamException.class)
                .hasMessage("a text of 1025 bytes; the limit is 1024");
    }

    @Test
    void shouldReadALengthAsUnsigned() {
        payload.putShort((short) -1).flip();

        assertThatThrownBy(() -> Message.Failure.readFrom(FrameKind.ABORT, payload))
                .hasMessage("a text of 65535 bytes; the limit is 1024");
    }

    @Test
    void shouldCutTextsAtTheLimit() throws StreamException {
        assertThat(roundTrip("x".repeat(2000))).isEqualTo("x".repeat(1024));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ä", "€", "😀"})
    void shouldNotCutWithinACharacter(String character) throws StreamException {
        int bytes = character.getBytes(StandardCharsets.UTF_8).length;
        for (int before = 0; before < bytes; before++) {
            String text = "x".repeat(before) + character.repeat(1024);
            assertThat(roundTrip(text)).isEqualTo("x".repeat(before) + character.repeat((1024 - before) / bytes));
        }
    }

    @Test
    void shouldMakeOneHarmlessLineOfAText() throws StreamException {
        assertThat(roundTrip("a\u001b[2Jb")).isEqualTo("a?[2Jb");
        assertThat(roundTrip("a\u009b2Jb")).isEqualTo("a?2Jb");
        assertThat(roundTrip("a\u0000b\u007fc\td")).isEqualTo("a?b?c?d");
        assertThat(roundTrip("a\u202eb\u2066c")).isEqualTo("a?b?c");
        assertThat(roundTrip("one\ntwo\r\nthree")).isEqualTo("one two three");
        assertThat(roundTrip("one\u2028two\u0085three")).isEqualTo("one two three");
        assertThat(roundTrip("\n\n")).isEmpty();
    }

    @Test
    void shouldTakeInvalidUtf8ForUnknownCharacters() throws StreamException {
        payload.putShort((short) 3).put(new byte[] {'a', (byte) 0xff, 'b'}).flip();

        assertThat(Message.Failure.readFrom(FrameKind.ABORT, payload).reason()).isEqualTo("a\ufffdb");
    }

    private String roundTrip(String text) throws StreamException {
        payload.clear();
        new Message.Failure(text).writeTo(payload);
        payload.flip();
        assertThat(payload.remaining()).isLessThanOrEqualTo(2 + Message.MAX_TEXT);
        return Message.Failure.readFrom(FrameKind.ABORT, payload).reason();
    }
}
