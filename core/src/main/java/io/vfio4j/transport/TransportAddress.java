// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import java.nio.channels.ByteChannel;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Names a peer or a file, as a URI. */
public sealed interface TransportAddress {

    /** What can stand where a peer is named, for messages and help. */
    String PEER_FORMS = "tcp:HOST:PORT, unix:PATH or fd:N,N...";

    /** What can stand where a peer or file is named, for messages and help. */
    String FORMS = "tcp:HOST:PORT, unix:PATH, fd:N,N... or file:PATH";

    /** A peer: another process, with which a conversation is possible. */
    sealed interface Peer extends TransportAddress {}

    /**
     * A TCP peer.
     *
     * @param host a name or address
     * @param port 0 to 65,535; 0 lets a listener choose
     * @param zeroCopy whether who connects sends the state without the kernel's copy ({@code MSG_ZEROCOPY}), which pays
     *     on a fast link; on the loopback the kernel copies all the same. Pages of guest memory are copied, for they
     *     may change meanwhile. Who listens does not care
     */
    record Tcp(String host, int port, boolean zeroCopy) implements Peer {
        /**
         * Names a peer to whom the kernel copies.
         *
         * @param host a name or address
         * @param port 0 to 65,535; 0 lets a listener choose
         */
        public Tcp(String host, int port) {
            this(host, port, false);
        }

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
     * A peer that somebody has connected to already, such as a manager that authenticates the other side or encrypts:
     * one connection for control, and then one for each handler. Both sides give them in the same order.
     *
     * <p>Nobody else uses them while the migration lasts. It uses all of them up: when it ends, well or badly, none can
     * be used again. They stay the caller's, who closes them thereafter.
     */
    sealed interface Given extends Peer {
        /**
         * Returns how many connections there are.
         *
         * @return one or more
         */
        int count();
    }

    /**
     * Connected stream sockets of this process, by their fds; blocking or not.
     *
     * <p>A migration works on duplicates and leaves these open, but the sockets are shut down. On those of TCP it sets
     * {@code TCP_NODELAY}.
     *
     * @param fds their numbers
     */
    record Fds(List<Integer> fds) implements Given {
        /**
         * Copies the list.
         *
         * @throws IllegalArgumentException for an empty list, and for a number that is negative or named twice
         */
        public Fds {
            fds = List.copyOf(fds);
            if (fds.isEmpty()) {
                throw new IllegalArgumentException("no fd is named");
            }
            for (int i = 0; i < fds.size(); i++) {
                if (fds.get(i) < 0) {
                    throw new IllegalArgumentException("no fd has the number " + fds.get(i));
                }
                if (fds.indexOf(fds.get(i)) < i) {
                    throw new IllegalArgumentException(
                            "fd " + fds.get(i) + " is named twice; each connection has its own");
                }
            }
        }

        @Override
        public int count() {
            return fds.size();
        }

        @Override
        public String toString() {
            return "fd:" + fds.stream().map(String::valueOf).collect(Collectors.joining(","));
        }
    }

    /**
     * Open channels: connected socket channels, or what a caller has made, such as for TLS. Each is blocking, takes
     * direct buffers, and is an {@link java.nio.channels.InterruptibleChannel}, so that closing it from another thread
     * ends a call that blocks; one thread reads and one writes.
     *
     * <p>A migration closes them. On socket channels of TCP it sets {@code TCP_NODELAY}.
     *
     * @param channels the channels
     */
    record Channels(List<? extends ByteChannel> channels) implements Given {
        /**
         * Copies the list.
         *
         * @throws IllegalArgumentException for an empty list, and for a channel that is in it twice
         */
        public Channels {
            channels = List.copyOf(channels);
            if (channels.isEmpty()) {
                throw new IllegalArgumentException("no channel is given");
            }
            if (Set.copyOf(channels).size() < channels.size()) {
                throw new IllegalArgumentException("a channel is given twice; each connection has its own");
            }
        }

        @Override
        public int count() {
            return channels.size();
        }

        @Override
        public String toString() {
            return channels.size() + " given channels";
        }
    }

    /**
     * A file.
     *
     * @param path its path
     * @param direct whether what is written goes past the page cache (O_DIRECT), which leaves the host's memory to
     *     others; reading does not depend on it. Its file system must be able to
     */
    record File(Path path, boolean direct) implements TransportAddress {
        /**
         * Names a file that is written by way of the page cache.
         *
         * @param path its path
         */
        public File(Path path) {
            this(path, false);
        }

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
     * @throws IllegalArgumentException for a text of no such form; the message lists the forms; or for an fd that is
     *     named twice
     */
    static TransportAddress parse(String text) {
        if (text.startsWith("unix:")) {
            return new Unix(path(text, text.substring("unix:".length())));
        }
        if (text.startsWith("file:")) {
            return new File(path(text, text.substring("file:".length())));
        }
        if (Forms.FDS.matcher(text).matches()) {
            return new Fds(Arrays.stream(text.substring("fd:".length()).split(","))
                    .map(Integer::valueOf)
                    .toList());
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

    /** The patterns of {@link #parse}. */
    final class Forms {
        private static final Pattern FDS = Pattern.compile("fd:\\d{1,9}(?:,\\d{1,9})*");
        private static final Pattern TCP = Pattern.compile("tcp:(?:\\[([0-9a-fA-F:.%]+)]|([^:\\[\\]/]+)):(\\d{1,5})");

        private Forms() {}
    }
}
