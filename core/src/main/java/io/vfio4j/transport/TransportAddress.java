// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Names a peer or a file, as a URI. */
public sealed interface TransportAddress {

    /** What can stand where a peer is named, for messages and help. */
    String PEER_FORMS = "tcp:HOST:PORT or unix:PATH";

    /** What can stand where a peer or file is named, for messages and help. */
    String FORMS = "tcp:HOST:PORT, unix:PATH or file:PATH";

    /** A peer: another process, with which a conversation is possible. */
    sealed interface Peer extends TransportAddress {}

    /**
     * A TCP peer.
     *
     * @param host a name or address
     * @param port 0 to 65,535; 0 lets a listener choose
     */
    record Tcp(String host, int port) implements Peer {
        @Override
        public String toString() {
            return "tcp:" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
        }
    }

    /**
     * A peer on this host, by a Unix socket.
     *
     * @param path the socket's path
     */
    record Unix(Path path) implements Peer {
        @Override
        public String toString() {
            return "unix:" + path;
        }
    }

    /**
     * A file.
     *
     * @param path its path
     */
    record File(Path path) implements TransportAddress {
        @Override
        public String toString() {
            return "file:" + path;
        }
    }

    /**
     * Reads an address as a person writes it.
     *
     * @param text one of {@link #FORMS}; an IPv6 address stands in brackets
     * @return the address
     * @throws IllegalArgumentException for a text of no such form; the message lists the forms
     */
    static TransportAddress parse(String text) {
        if (text.startsWith("unix:")) {
            return new Unix(path(text, text.substring("unix:".length())));
        }
        if (text.startsWith("file:")) {
            return new File(path(text, text.substring("file:".length())));
        }
        Matcher tcp = Forms.TCP.matcher(text);
        if (tcp.matches()) {
            int port = Integer.parseInt(tcp.group(3));
            if (port <= 65_535) {
                return new Tcp(tcp.group(1) == null ? tcp.group(2) : tcp.group(1), port);
            }
        }
        throw new IllegalArgumentException("'" + text + "' names no peer or file; use " + FORMS);
    }

    /**
     * Reads a peer's address as a person writes it.
     *
     * @param text one of {@link #PEER_FORMS}
     * @return the address
     * @throws IllegalArgumentException for a text of no such form; the message lists the forms
     */
    static Peer parsePeer(String text) {
        if (parse(text) instanceof Peer peer) {
            return peer;
        }
        throw new IllegalArgumentException("'" + text + "' names no peer; use " + PEER_FORMS);
    }

    private static Path path(String text, String path) {
        try {
            if (!path.isEmpty()) {
                return Path.of(path);
            }
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException("'" + text + "' has no valid path: " + e.getReason(), e);
        }
        throw new IllegalArgumentException("'" + text + "' has no path; use " + FORMS);
    }

    /** The pattern of {@link #parse}. */
    final class Forms {
        private static final Pattern TCP = Pattern.compile("tcp:(?:\\[([0-9a-fA-F:.%]+)]|([^:\\[\\]/]+)):(\\d{1,5})");

        private Forms() {}
    }
}
