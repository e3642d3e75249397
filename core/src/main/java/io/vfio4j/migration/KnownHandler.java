// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.StateHandler.Description;
import io.vfio4j.migration.StateHandler.PeerToPeer;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A handler, and what it has said of itself: it is asked once, on a thread that is waited for no longer than for any
 * other call, and what it said holds for the whole migration.
 */
final class KnownHandler {
    /** Whether it agrees to a migration. */
    static final Crew.Named<KnownHandler> PREPARE = new Crew.Named<>("prepare", known -> known.handler.prepare());

    private final StateHandler handler;
    private volatile String name;
    private volatile @Nullable Description description;
    private volatile List<StateHandler.PageRange> placedPages = List.of();
    private volatile PeerToPeer peerToPeer = PeerToPeer.NONE;
    private volatile boolean running;
    private volatile @Nullable String misfit;

    private KnownHandler(StateHandler handler, int number) {
        this.handler = handler;
        this.name = "handler " + number;
    }

    /** Handlers that have said nothing yet: their names say only which in order they are. */
    static List<KnownHandler> of(List<StateHandler> handlers) {
        return IntStream.range(0, handlers.size())
                .mapToObj(i -> new KnownHandler(handlers.get(i), i + 1))
                .toList();
    }

    /** What each says of itself before anything else. */
    static List<Crew.Named<KnownHandler>> introduction() {
        return List.of(
                new Crew.Named<>("name", known -> known.name = Objects.requireNonNull(known.handler.name())),
                new Crew.Named<>(
                        "description",
                        known -> known.description = Objects.requireNonNull(known.handler.description())),
                new Crew.Named<>("placedPages", known -> known.placedPages = List.copyOf(known.handler.placedPages())));
    }

    /** Whether it agrees to be saved, and what a source has to know of it then. */
    static List<Crew.Named<KnownHandler>> agreement() {
        return List.of(
                PREPARE,
                new Crew.Named<>(
                        "peerToPeer", known -> known.peerToPeer = Objects.requireNonNull(known.handler.peerToPeer())),
                new Crew.Named<>("isRunning", known -> known.running = known.handler.isRunning()));
    }

    /** Lets it compare what the source's handler of its name is. */
    void compare(Description source) {
        misfit = handler.misfit(source);
    }

    StateHandler handler() {
        return handler;
    }

    String name() {
        return name;
    }

    Description description() {
        return Objects.requireNonNull(description, "asked before the introduction");
    }

    /** Which pages of memory have places of their own in a file. */
    List<StateHandler.PageRange> placedPages() {
        return placedPages;
    }

    PeerToPeer peerToPeer() {
        return peerToPeer;
    }

    boolean isRunning() {
        return running;
    }

    /** Why the source's state does not fit; null when it does. */
    @Nullable
    String misfit() {
        return misfit;
    }
}
