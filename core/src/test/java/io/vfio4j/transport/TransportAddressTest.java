// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TransportAddressTest {
    @Test
    void shouldParseEveryForm() {
        assertThat(TransportAddress.parse("tcp:host.example:4444"))
                .isEqualTo(new TransportAddress.Tcp("host.example", 4444));
        assertThat(TransportAddress.parse("tcp:[2001:db8::1]:65535"))
                .isEqualTo(new TransportAddress.Tcp("2001:db8::1", 65_535));
        assertThat(TransportAddress.parse("tcp:[::ffff:192.0.2.1]:0"))
                .isEqualTo(new TransportAddress.Tcp("::ffff:192.0.2.1", 0));
        assertThat(TransportAddress.parse("unix:/run/a b:c"))
                .isEqualTo(new TransportAddress.Unix(Path.of("/run/a b:c")));
        assertThat(TransportAddress.parse("fd:3,14")).isEqualTo(new TransportAddress.Fds(List.of(3, 14)));
        assertThat(TransportAddress.parse("file:state.vf4j"))
                .isEqualTo(new TransportAddress.File(Path.of("state.vf4j")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"tcp:host:1", "tcp:[::1]:1", "unix:/a", "fd:3", "fd:3,14,5", "file:b"})
    void shouldPrintWhatItParsed(String text) {
        assertThat(TransportAddress.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "host:1",
                "tcp:host",
                "tcp:host:",
                "tcp::1",
                "tcp:host:65536",
                "tcp:host:123456",
                "tcp:host:-1",
                "tcp:::1:1",
                "tcp://host:1",
                "TCP:host:1",
                "fd:",
                "fd:3,",
                "fd:-3",
                "fd:3 4",
                "fd:1234567890"
            })
    void shouldNameTheFormsWhenTheTextHasNone(String text) {
        assertThatThrownBy(() -> TransportAddress.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("'" + text + "' names no peer or file; use " + TransportAddress.FORMS);
    }

    @ParameterizedTest
    @ValueSource(strings = {"unix:", "file:"})
    void shouldSayThatThereIsNoPath(String text) {
        assertThatThrownBy(() -> TransportAddress.parse(text))
                .hasMessage("'" + text + "' has no path; use " + TransportAddress.FORMS);
    }

    @Test
    void shouldSayThatThePathIsInvalid() {
        assertThatThrownBy(() -> TransportAddress.parse("file:a\0b")).hasMessageContaining("has no valid path");
    }

    @Test
    void shouldRefuseConnectionsThatAreNoneOrGivenTwice() throws IOException {
        assertThatThrownBy(() -> TransportAddress.parse("fd:3,4,3"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("fd 3 is named twice; each connection has its own");
        assertThatThrownBy(() -> new TransportAddress.Fds(List.of())).hasMessage("no fd is named");
        assertThatThrownBy(() -> new TransportAddress.Fds(List.of(-1))).hasMessage("no fd has the number -1");
        assertThatThrownBy(() -> new TransportAddress.Channels(List.of())).hasMessage("no channel is given");
        try (SocketChannel channel = SocketChannel.open()) {
            assertThatThrownBy(() -> new TransportAddress.Channels(List.of(channel, channel)))
                    .hasMessage("a channel is given twice; each connection has its own");
        }
    }

    @Test
    void shouldRefuseAFileWhereAPeerIsDue() {
        assertThatThrownBy(() -> TransportAddress.parsePeer("file:a"))
                .hasMessage("'file:a' names no peer; use " + TransportAddress.PEER_FORMS);
    }
}
