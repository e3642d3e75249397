// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.observe.AfterSwitchover;
import io.vfio4j.observe.HandlerLoadReport;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.Phase;
import io.vfio4j.observe.PhaseReport;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Loads the state of all handlers from a peer or a file, and runs them only when the other side has let go of it.
 *
 * <p>{@link #run} does its work on a thread for each handler and one for the virtual machine, and waits for them on the
 * calling thread, which makes the calls of the listener. Any thread may {@link #cancel} and look at the
 * {@link #statistics} and {@link #phases}. The handlers and the virtual machine stay the caller's. One object, one
 * migration.
 *
 * <p>Until COMMIT, a failure discards what was loaded into any handler: none ever runs with half a state, or without
 * the others. When all runs here, what the source has that could wait is loaded; what of it does not come is told by
 * name, and all runs on.
 */
public final class IncomingMigration {
    private static final long PROGRESS_NANOS = 100_000_000;

    private enum Stage {
        NEW,
        ACTIVE,
        CANCELLED,
        LOADED,
        COMMITTED,
        /** All runs here, and what could wait comes. */
        AFTER_SWITCHOVER,
        /** The caller does not want to wait for that. */
        GIVEN_UP,
        ENDED
    }

    private final LibC libc;
    private final List<KnownHandler> known;
    private final GuardedMachine vm;
    private final MigrationParameters parameters;
    private final MigrationListener listener;
    private final Execution execution;
    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.NEW);
    private final AtomicBoolean started = new AtomicBoolean();
    private final Crew<IncomingStream> crew;
    private final PhaseTimes phases;
    private volatile @Nullable IncomingLink link;
    private volatile boolean holdsState;
    private long lastProgress;

    /**
     * Prepares a migration; nothing is touched before {@link #run}.
     *
     * @param libc the system calls that buffers come from, and that given fds are used by
     * @param handlers what to load, with the source's names; what state they hold is lost
     * @param vm their virtual machine, not running
     * @param parameters what the migration may use
     * @param listener who is told
     */
    public IncomingMigration(
            LibC libc,
            List<? extends StateHandler> handlers,
            VirtualMachine vm,
            MigrationParameters parameters,
            MigrationListener listener) {
        this(libc, handlers, vm, parameters, listener, new ThreadedExecution(libc, parameters.executor()));
    }

    IncomingMigration(
            LibC libc,
            List<? extends StateHandler> handlers,
            VirtualMachine vm,
            MigrationParameters parameters,
            MigrationListener listener,
            Execution execution) {
        this.libc = libc;
        this.known = KnownHandler.of(List.copyOf(handlers));
        this.parameters = parameters;
        this.listener = new UnfailingListener(listener);
        this.execution = execution;
        this.vm = new GuardedMachine(vm, execution, parameters, this::isCancelled);
        this.crew = new Crew<>(execution, parameters.handlerLimit().toNanos(), this::isCancelled);
        this.phases = new PhaseTimes(execution::nanoTime, this::bytes);
    }

    /**
     * Waits for a source or opens a file, and loads the state. When this returns, all runs here.
     *
     * @param from where from; for a peer, where to listen, or the connections to it
     * @return what was done
     * @throws MigrationException when it was not: what was loaded was discarded, or nothing was touched, unless the
     *     message says otherwise
     * @throws IllegalStateException when this object has run before
     */
    public LoadReport run(TransportAddress from) throws MigrationException {
        if (!started.compareAndSet(false, true)) {
            throw new IllegalStateException("a migration runs once");
        }
        stage.compareAndSet(Stage.NEW, Stage.ACTIVE);
        enter(Phase.SETUP);
        MemoryPart memory = MemoryPart.NONE;
        try {
            memory = MemoryPart.take(parameters, execution, this::isCancelled);
            requireNotCancelled();
            Offers.requireCount(known);
            lone("introduce", known, KnownHandler.introduction());
            Offers.of(known);
            OutgoingPeerLink.requireConnections(from, known.size());
            lone("prepare", known, List.of(KnownHandler.PREPARE));
            try (Transport transport = execution.openTransport()) {
                IncomingLink opened = IncomingLink.open(libc, from, parameters, execution, transport, listener);
                try {
                    link = opened;
                    requireNotCancelled();
                    return load(opened);
                } finally {
                    for (Crew.Trouble<IncomingStream> trouble : crew.dismiss()) {
                        listener.onNotice("cleaning up failed: " + MigrationException.message(trouble.failure()));
                    }
                    vm.close();
                    opened.free();
                }
            }
        } catch (IOException e) {
            throw ended(e);
        } catch (RuntimeException | Error e) {
            throw ended(new IOException("unexpected: " + e, e));
        } finally {
            link = null;
            memory.close();
        }
    }

    /**
     * Gives the migration up. Returns at once; {@link #run} throws {@link Reason#CANCELLED}. When all runs here
     * already, only what still comes is given up: {@link #run} returns, and its report says what is missing.
     *
     * @return false when it is too late: the source may have let go and not all runs here, or the migration has ended
     */
    public boolean cancel() {
        boolean cancelled =
                stage.compareAndSet(Stage.NEW, Stage.CANCELLED) || stage.compareAndSet(Stage.ACTIVE, Stage.CANCELLED);
        IncomingLink open = link;
        if (cancelled && open != null) {
            open.interrupt();
        }
        boolean givenUp = stage.compareAndSet(Stage.AFTER_SWITCHOVER, Stage.GIVEN_UP);
        if (givenUp && open != null) {
            open.closeData();
        }
        execution.changed();
        return cancelled || givenUp;
    }

    /**
     * Says what each handler has done so far. Any thread, also when the migration has ended.
     *
     * @return a snapshot, in the source's order; empty before a source has come
     */
    public List<HandlerLoadReport> statistics() {
        return crew.members().stream().map(IncomingStream::report).toList();
    }

    /**
     * Says what each phase has taken so far. Any thread, also when the migration has ended.
     *
     * @return a snapshot: the phases that were entered, in the order of {@link Phase}, without those that are an end
     */
    public List<PhaseReport> phases() {
        return phases.reports();
    }

    /**
     * After {@link #run} has failed: tells whether the handlers hold a state that the source has let go of.
     *
     * @return true when the devices must not be closed or reset before the source is resolved
     */
    public boolean holdsState() {
        return holdsState;
    }

    private void enter(Phase phase) {
        phases.enter(phase);
        listener.onPhase(phase);
    }

    private LoadReport load(IncomingLink from) throws IOException {
        Message.Hello hello = from.awaitHello();
        requireFits(hello, from);
        try {
            List<KnownHandler> offered = Offers.match(hello.offers(), known);
            for (KnownHandler handler : offered) {
                crew.add(new IncomingStream(handler, execution));
            }
            crew.all("rehearse", IncomingStream::rehearse, () -> {});
            crew.all("loadSetup", stream -> stream.setUp(poolFor(hello.chunkBytes())), () -> {});
            from.accept(
                    hello,
                    rehearsed(crew.emptyStepNanos()),
                    offered.stream().map(KnownHandler::placedPages).toList(),
                    crew::emptyStep);
            vm.open();
            enter(Phase.RECEIVING);
            long receiving = execution.nanoTime();
            receive(from);
            long received = execution.nanoTime();
            enter(Phase.HANDOVER);
            crew.all("loadFinish", IncomingStream::loadFinish, from::closeData);
            long loaded = execution.nanoTime();
            if (!stage.compareAndSet(Stage.ACTIVE, Stage.LOADED)) {
                throw cancelled();
            }
            from.loaded(loaded - received);
            from.awaitCommit();
            stage.set(Stage.COMMITTED);
            long committed = execution.nanoTime();
            crew.start(List.of(
                    new Crew.Named<>("resumeQuiesced", IncomingStream::resumeQuiesced),
                    new Crew.Named<>("resume", IncomingStream::resume)));
            crew.finish(() -> {});
            vm.resume("commit");
            long running = execution.nanoTime();
            stage.set(
                    crew.members().stream().anyMatch(IncomingStream::hasLater) ? Stage.AFTER_SWITCHOVER : Stage.ENDED);
            tellRunning(from, running - committed);
            AfterSwitchover after = afterSwitchover(from);
            stage.set(Stage.ENDED);
            enter(Phase.COMPLETED);
            return new LoadReport(
                    bytes(), received - receiving, loaded - received, running - committed, after, statistics());
        } catch (IOException e) {
            throw failed(e, from);
        } catch (RuntimeException | Error e) {
            throw failed(new IOException("unexpected: " + e, e), from);
        }
    }

    private void lone(String task, List<KnownHandler> some, List<Crew.Named<KnownHandler>> steps)
            throws MigrationException {
        LoneHandler.all(task, some, steps, execution, parameters, this::isCancelled);
    }

    /**
     * What the source is told of the arcs to come: the devices take them beside each other, each step of all beside
     * each other.
     */
    private Message.Accept rehearsed(long stepNanos) {
        return new Message.Accept(
                slowest(StateHandler.Rehearsal::stopNanos),
                slowest(StateHandler.Rehearsal::quiescedNanos) + slowest(StateHandler.Rehearsal::runNanos) + stepNanos);
    }

    private long slowest(ToLongFunction<StateHandler.Rehearsal> part) {
        return crew.members().stream()
                .map(IncomingStream::rehearsal)
                .mapToLong(part)
                .max()
                .orElse(0);
    }

    private void receive(IncomingLink from) throws IOException {
        List<IncomingStream> streams = crew.members();
        List<FrameChannel> channels = from.data();
        boolean shared = channels.size() < streams.size();
        crew.start("load", stream -> {
            int index = streams.indexOf(stream);
            if (index == 0 || !shared) {
                FrameChannel channel = channels.get(index);
                int carried = shared ? streams.size() : 1;
                stream.receive(
                        stream.receiver(parameters, execution, channel, streams, carried), channel, from, streams);
            }
        });
        finishReceiving(from);
        if (IntStream.range(0, streams.size()).anyMatch(i -> from.placed(OutgoingPeerLink.FIRST_STREAM + i) != null)) {
            crew.start("loadPages", stream -> {
                PlacedPages placed = from.placed(OutgoingPeerLink.FIRST_STREAM + streams.indexOf(stream));
                if (placed != null) {
                    stream.loadPlaced(placed);
                }
            });
            finishReceiving(from);
        }
    }

    private void finishReceiving(IncomingLink from) throws MigrationException {
        while (!crew.isIdle() && !crew.hasFailed()) {
            execution.await(execution.nanoTime() + PROGRESS_NANOS, () -> crew.isIdle() || crew.anyFailed());
            progress();
        }
        crew.finish(from::closeData);
    }

    private long bytes() {
        return crew.members().stream().mapToLong(IncomingStream::bytes).sum();
    }

    /** All run here, whether the source hears of it or not. */
    private void tellRunning(IncomingLink from, long nanos) {
        try {
            from.running(nanos);
        } catch (IOException e) {
            listener.onNotice("the virtual machine runs here, but the source could not be told ("
                    + MigrationException.message(e)
                    + "): the source is in doubt; resolve it there as KEEP_STOPPED");
        }
    }

    /** All runs here; what the source has that could wait is loaded, or missed. */
    private AfterSwitchover afterSwitchover(IncomingLink from) {
        List<IncomingStream> streams = crew.members();
        if (streams.stream().noneMatch(IncomingStream::hasLater)) {
            return AfterSwitchover.NONE;
        }
        enter(Phase.AFTER_SWITCHOVER);
        long begin = execution.nanoTime();
        long before = bytes();
        List<AfterSwitchover.Missing> missing = new ArrayList<>();
        List<Message.Missing> told = new ArrayList<>();
        for (Crew.Trouble<IncomingStream> trouble : crew.allThatCan("loadLater", stream -> {
            if (stream.hasLater()) {
                loadLater(stream, from);
            }
        })) {
            String reason = trouble.named();
            int index = streams.indexOf(trouble.member());
            missing.add(new AfterSwitchover.Missing(trouble.member().name(), reason));
            told.add(new Message.Missing(OutgoingPeerLink.FIRST_STREAM + index, reason));
            if (from.carriesOn()) {
                from.data().get(index).close();
            }
            listener.onNotice("all runs here, but what could wait has not come: " + reason);
        }
        AfterSwitchover after = new AfterSwitchover(bytes() - before, execution.nanoTime() - begin, missing);
        try {
            from.complete(new Message.Complete(after.nanos(), told));
        } catch (IOException e) {
            listener.onNotice("the source could not be told what has come since all runs here ("
                    + MigrationException.message(e) + ")");
        }
        return after;
    }

    private void loadLater(IncomingStream stream, IncomingLink from) throws IOException {
        FrameChannel channel = from.carriesOn() ? from.data().get(crew.members().indexOf(stream)) : null;
        stream.loadLater(
                channel,
                opened -> stream.receiver(parameters, execution, opened, crew.members(), 1),
                from,
                crew.members());
    }

    private void requireFits(Message.Hello hello, IncomingLink from) throws MigrationException {
        try {
            String misfit = misfit(hello);
            if (misfit != null) {
                throw new MigrationException(Reason.REFUSED, misfit);
            }
        } catch (MigrationException e) {
            from.refuse(MigrationException.message(e));
            throw e;
        }
    }

    /** Why this source's state cannot be loaded here, or null. */
    private @Nullable String misfit(Message.Hello hello) throws MigrationException {
        String mismatch = Offers.mismatch(hello.offers(), known);
        if (mismatch != null) {
            return mismatch;
        }
        lone("compare", known, List.of(new Crew.Named<>("misfit", handler -> Offers.compare(hello.offers(), handler))));
        String misfit = Offers.misfit(hello.offers(), known);
        if (misfit != null) {
            return misfit;
        }
        int chunk = hello.chunkBytes();
        if (chunk < 4096
                || chunk > BufferPool.MAX_CAPACITY
                || chunk % 4096 != 0
                || chunksFor(chunk) < parameters.leastChunks()) {
            return "the source sends chunks of " + chunk + " bytes, of which each of " + known.size()
                    + " handlers needs " + parameters.leastChunks() + ", and " + parameters.memoryBytes()
                    + " bytes are allowed here";
        }
        return null;
    }

    private long chunksFor(int chunkBytes) {
        return Math.min(BufferPool.MAX_BUFFERS, parameters.memoryBytes() / known.size() / chunkBytes);
    }

    private BufferPool poolFor(int chunkBytes) {
        return new BufferPool(libc, (int) chunksFor(chunkBytes), chunkBytes, parameters.hugePages());
    }

    private void progress() {
        long now = execution.nanoTime();
        if (now - lastProgress >= PROGRESS_NANOS) {
            lastProgress = now;
            listener.onProgress(new MigrationProgress(Phase.RECEIVING, 0, bytes(), -1, -1, -1));
        }
    }

    private MigrationException failed(IOException cause, IncomingLink from) {
        MigrationException failure = MigrationException.of(cause);
        if (stage.get() == Stage.CANCELLED) {
            failure = MigrationException.cancelled(cause);
        } else if (failure.reason() == Reason.TRANSPORT) {
            MigrationException said = from.reasonOfPeer();
            if (said != null) {
                said.addSuppressed(failure);
                failure = said;
            }
        }
        if (stage.get() == Stage.AFTER_SWITCHOVER || stage.get() == Stage.GIVEN_UP || stage.get() == Stage.ENDED) {
            // All runs here and the source knows: whatever failed, that is not undone.
            return failure;
        }
        if (stage.get() == Stage.COMMITTED) {
            holdCommitted(failure);
            from.abort(MigrationException.message(failure));
            return failure;
        }
        from.abort(MigrationException.message(failure));
        from.closeData();
        for (Crew.Trouble<IncomingStream> trouble : crew.allThatCan("discard", IncomingStream::discard)) {
            if (trouble.failure() != failure) {
                failure.addSuppressed(trouble.failure());
            }
            listener.onNotice(
                    "what was loaded could not be discarded: " + MigrationException.message(trouble.failure()));
        }
        return failure;
    }

    /** The source has let go, but not all starts here: the state is kept if it can be. */
    private void holdCommitted(MigrationException failure) {
        // Before the source hears of it and may run itself; down in two steps, for some may run already.
        crew.allThatCan("quiesce", stream -> stream.handler().quiesce());
        List<Crew.Trouble<IncomingStream>> troubles = crew.allThatCan("hold", IncomingStream::hold);
        holdsState = troubles.isEmpty();
        troubles.stream()
                .map(Crew.Trouble::failure)
                .filter(trouble -> trouble != failure)
                .forEach(failure::addSuppressed);
        String lost = troubles.stream()
                .map(trouble -> MigrationException.message(trouble.failure()))
                .collect(Collectors.joining("; "));
        String here = vm.hangs()
                ? "nobody knows whether the virtual machine will run here: see to it that it does not"
                : "the virtual machine does not run here either";
        listener.onNotice(
                holdsState
                        ? "the source has let go, and " + here + "; its state is held "
                                + "here: do not close the devices before the source is resolved"
                        : "the source has let go, and not all of the state could be kept here (" + lost
                                + "): the source alone still holds it all; resolve it there as RESUME_SOURCE");
    }

    private MigrationException ended(IOException e) {
        MigrationException failure = stage.getAndSet(Stage.ENDED) == Stage.CANCELLED
                ? MigrationException.cancelled(e)
                : MigrationException.of(e);
        enter(Phase.FAILED);
        return failure;
    }

    private boolean isCancelled() {
        return stage.get() == Stage.CANCELLED || stage.get() == Stage.GIVEN_UP;
    }

    private void requireNotCancelled() throws MigrationException {
        if (isCancelled()) {
            throw cancelled();
        }
    }

    private static MigrationException cancelled() {
        return MigrationException.cancelled(null);
    }
}
