// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.StateHandler.PeerToPeer;
import io.vfio4j.observe.AfterSwitchover;
import io.vfio4j.observe.Downtime;
import io.vfio4j.observe.HandlerReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationProgress;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.observe.PhaseReport;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Moves the state of all handlers away, to a peer or into a file, and lets go of it only when the other side has it.
 *
 * <p>{@link #run} does its work on a thread for each handler and one for the virtual machine, and waits for them on the
 * calling thread, which makes the calls of the listener. Any thread may {@link #cancel}, {@link #proceed}, change the
 * {@link #limits} and look at the {@link #statistics} and {@link #phases}. The handlers and the virtual machine stay
 * the caller's. One object, one migration.
 *
 * <p>Until COMMIT, a failure takes all handlers back to where they were, together, and resumes the virtual machine.
 * From COMMIT on, this side never runs them by itself; a connection lost then is {@link Reason#IN_DOUBT}, and
 * {@link #resolve} ends it. When the destination runs, what the handlers have that could wait goes there; what fails
 * then is told by name, and takes nothing back.
 */
public final class OutgoingMigration {

    /** How a migration that is in doubt ends at the source. */
    public enum Resolution {
        /** The destination runs: the devices stay in STOP here. */
        KEEP_STOPPED,
        /** The destination does not run, as the caller has made sure: the virtual machine runs here again. */
        RESUME_SOURCE
    }

    private enum Stage {
        NEW,
        ACTIVE,
        CANCELLED,
        COMMITTED,
        /** The destination runs, and what could wait goes there. */
        AFTER_SWITCHOVER,
        /** The caller does not want to wait for that. */
        GIVEN_UP,
        IN_DOUBT,
        ENDED
    }

    private static final long PROGRESS_NANOS = 100_000_000;

    /** How long the monitor's preparations may take before the handlers' threads are to look when they sent last. */
    private static final long SILENCE_NANOS = 100_000_000;

    private static final int FIRST_THROTTLE = 20;
    private static final int MORE_THROTTLE = 10;
    private static final int MOST_THROTTLE = 99;

    private final LibC libc;
    private final List<KnownHandler> known;
    private final GuardedMachine vm;
    private final MigrationParameters parameters;
    private final SwitchoverPolicy policy;
    private final MigrationListener listener;
    private final Execution execution;
    private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.NEW);
    private final AtomicBoolean started = new AtomicBoolean();
    private final DowntimeModel model = new DowntimeModel();
    private final Whole whole = new Whole();
    private final Crew<OutgoingStream> crew;
    private final PhaseTimes phases;
    private final Queue<String> notices = new ConcurrentLinkedQueue<>();
    private volatile @Nullable OutgoingLink link;
    private volatile MigrationLimits limits;
    private volatile boolean mayProceed;
    private volatile boolean roundOver;

    /** How many acknowledgements were missing at the last look: fewer are a reason for another one. */
    private int acksSeen;

    private volatile boolean failing;

    private long preCopyBegin;
    private long lastProgress;
    private long lastTotalAt;
    private long lastTotal;
    private long predictedNanos = -1;
    private int throttle;
    private int throttledRound;
    private boolean runs;
    private boolean vmStopped;
    private boolean aborted;

    /**
     * Prepares a migration; nothing is touched before {@link #run}.
     *
     * @param libc the system calls that buffers come from, and that given fds are used by
     * @param handlers what to save, 1 to 32 handlers with different names; all devices in RUNNING, or all in STOP
     * @param vm their virtual machine
     * @param parameters what the migration may use
     * @param policy when to switch over; {@link SwitchoverPolicy#STANDARD} is the usual one
     * @param listener who is told
     */
    public OutgoingMigration(
            LibC libc,
            List<? extends StateHandler> handlers,
            VirtualMachine vm,
            MigrationParameters parameters,
            SwitchoverPolicy policy,
            MigrationListener listener) {
        this(libc, handlers, vm, parameters, policy, listener, new ThreadedExecution(libc, parameters.executor()));
    }

    OutgoingMigration(
            LibC libc,
            List<? extends StateHandler> handlers,
            VirtualMachine vm,
            MigrationParameters parameters,
            SwitchoverPolicy policy,
            MigrationListener listener,
            Execution execution) {
        this.libc = libc;
        this.known = KnownHandler.of(List.copyOf(handlers));
        this.parameters = parameters;
        this.policy = policy;
        this.listener = new UnfailingListener(listener);
        this.execution = execution;
        this.vm = new GuardedMachine(vm, execution, parameters, this::isCancelled);
        this.limits = parameters.limits();
        this.mayProceed = !parameters.pauseBeforeSwitchover();
        this.crew = new Crew<>(execution, parameters.handlerLimit().toNanos(), this::isCancelled);
        this.phases = new PhaseTimes(execution::nanoTime, this::bytesSent);
    }

    /**
     * Migrates. When this returns, the devices are in STOP here, and run at the peer or are whole in the file.
     *
     * @param to where to
     * @return what was done
     * @throws MigrationException when it was not: all is as it was before, unless the message or
     *     {@link Reason#IN_DOUBT} says otherwise
     * @throws IllegalStateException when this object has run before
     */
    public MigrationReport run(TransportAddress to) throws MigrationException {
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
            lone("introduce", KnownHandler.introduction(), this::isCancelled);
            List<Message.Offer> offers = Offers.of(known);
            OutgoingPeerLink.requireConnections(to, known.size());
            int chunks = parameters.chunksFor(known.size());
            prepare();
            try (Transport transport = execution.openTransport()) {
                OutgoingLink opened = OutgoingLink.open(libc, to, parameters, execution, transport);
                try {
                    link = opened;
                    requireNotCancelled();
                    return migrate(opened, offers, chunks);
                } finally {
                    List<Crew.Trouble<OutgoingStream>> troubles = crew.dismiss();
                    passNoticesOn();
                    for (Crew.Trouble<OutgoingStream> trouble : troubles) {
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
     * Gives the migration up; all goes back to where it was. Returns at once; {@link #run} throws
     * {@link Reason#CANCELLED}. A handler that a driver keeps in a call for more than 8 seconds is left there: that is
     * told. When the destination runs already, only what still goes there is given up: {@link #run} returns, and its
     * report says what is missing.
     *
     * @return false when it is too late: the other side has been told to run and has not confirmed it, or the migration
     *     has ended
     */
    public boolean cancel() {
        boolean cancelled =
                stage.compareAndSet(Stage.NEW, Stage.CANCELLED) || stage.compareAndSet(Stage.ACTIVE, Stage.CANCELLED);
        OutgoingLink open = link;
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
     * Allows the switchover, with {@link MigrationParameters#pauseBeforeSwitchover}. Until then pre-copy goes on, so
     * that the virtual machine runs and the prediction stays fresh.
     */
    public void proceed() {
        mayProceed = true;
        execution.changed();
    }

    /**
     * Returns what the migration has to keep to now.
     *
     * @return the limits
     */
    public MigrationLimits limits() {
        return limits;
    }

    /**
     * Changes what the migration has to keep to, from the next piece or round on.
     *
     * @param changed the new limits
     */
    public void limits(MigrationLimits changed) {
        limits = changed;
        execution.changed();
    }

    /**
     * Says what each handler has done so far.
     *
     * @return a snapshot; empty before the state begins to go
     */
    public List<HandlerReport> statistics() {
        return crew.members().stream().map(OutgoingStream::report).toList();
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
     * Ends a migration that is in doubt. Never done by a timer: only the caller can find out what the destination does.
     *
     * @param resolution who runs the virtual machine
     * @throws MigrationException when a handler or the virtual machine cannot be taken there; the migration is in doubt
     *     as before, and can be resolved again
     * @throws IllegalStateException when the migration is not in doubt
     */
    public void resolve(Resolution resolution) throws MigrationException {
        if (!stage.compareAndSet(Stage.IN_DOUBT, Stage.ENDED)) {
            throw new IllegalStateException("the migration is not in doubt");
        }
        try {
            if (resolution == Resolution.RESUME_SOURCE) {
                resolve("resumeQuiesced", StateHandler::resumeQuiesced);
                resolve("resume", StateHandler::resume);
                if (throttle > 0) {
                    throttleTo(0);
                }
                if (vmStopped) {
                    vm.resume("doubt resolved");
                }
            } else {
                resolve("release", StateHandler::release);
            }
        } catch (IOException e) {
            throw unresolved(e);
        } catch (RuntimeException | Error e) {
            throw unresolved(new IOException("unexpected: " + e, e));
        } finally {
            vm.close();
        }
    }

    private void resolve(String name, Crew.Step<StateHandler> step) throws MigrationException {
        lone("resolve", List.of(new Crew.Named<>(name, known -> step.run(known.handler()))), () -> false);
    }

    private void lone(String task, List<Crew.Named<KnownHandler>> steps, BooleanSupplier impatient)
            throws MigrationException {
        LoneHandler.all(task, known, steps, execution, parameters, impatient);
    }

    private MigrationException unresolved(IOException e) {
        MigrationException failure = MigrationException.of(e);
        tellOfReset(failure);
        stage.set(Stage.IN_DOUBT);
        return failure;
    }

    private void prepare() throws IOException {
        lone("prepare", KnownHandler.agreement(), this::isCancelled);
        List<KnownHandler> devices = known.stream()
                .filter(handler -> handler.peerToPeer() != PeerToPeer.NONE)
                .toList();
        List<KnownHandler> withoutP2p = devices.stream()
                .filter(handler -> handler.peerToPeer() == PeerToPeer.CANNOT_QUIESCE)
                .toList();
        List<KnownHandler> stopped =
                known.stream().filter(handler -> !handler.isRunning()).toList();
        if (!withoutP2p.isEmpty() && devices.size() > 1 && !parameters.allowDevicesWithoutP2p()) {
            throw new MigrationException(
                    Reason.DEVICE,
                    withoutP2p.getFirst().name() + ": it cannot be kept from peer-to-peer DMA, so it cannot migrate "
                            + "beside other devices; allow it if none of them has such DMA");
        }
        runs = stopped.isEmpty();
        if (!runs && !stopped.containsAll(devices)) {
            throw new MigrationException(
                    Reason.DEVICE,
                    stopped.getFirst().name() + ": it is stopped while other devices run; start it or stop them");
        }
    }

    private MigrationReport migrate(OutgoingLink to, List<Message.Offer> offers, int chunks) throws IOException {
        long begin = execution.nanoTime();
        try {
            OutgoingLink.Negotiated negotiated = to.negotiate(
                    new Message.Hello(UUID.randomUUID(), parameters.chunkBytes(), offers),
                    known.stream().map(KnownHandler::placedPages).toList());
            model.roundTrip(negotiated.roundTripNanos());
            model.destination(negotiated.loadNanos(), negotiated.resumeNanos());
            for (int i = 0; i < known.size(); i++) {
                BufferPool pool = new BufferPool(libc, chunks, parameters.chunkBytes(), parameters.hugePages());
                crew.add(new OutgoingStream(
                        known.get(i), OutgoingPeerLink.FIRST_STREAM + i, execution, whole, to, parameters, pool));
            }
            // Before the devices begin to save: they change meanwhile.
            model.step(crew.emptyStepNanos());
            preCopyBegin = execution.nanoTime();
            lastTotalAt = preCopyBegin;
            crew.all("saveSetup", OutgoingStream::setUp, this::stopOthers);
            model.sourceArc(crew.members().stream()
                    .mapToLong(OutgoingStream::expectedStepNanos)
                    .max()
                    .orElse(0));

            Switchover switchover = untilCompleted();
            long drained = execution.nanoTime();
            enter(Phase.HANDOVER);
            to.awaitLoaded();
            long loaded = execution.nanoTime();
            handOver(to);
            long resumed = execution.nanoTime();

            stage.set(
                    crew.members().stream().anyMatch(OutgoingStream::hasLater) ? Stage.AFTER_SWITCHOVER : Stage.ENDED);
            long stopCopyBytes = bytesSent() - switchover.preCopyBytes;
            AfterSwitchover after = afterSwitchover(to);
            release();
            if (throttle > 0) {
                throttleTo(0);
            }
            stage.set(Stage.ENDED);
            enter(Phase.COMPLETED);
            MigrationReport report = new MigrationReport(
                    switchover.preCopyBytes,
                    stopCopyBytes,
                    switchover.round,
                    switchover.begin - preCopyBegin,
                    resumed - begin + after.nanos(),
                    bytesPerSecond(),
                    switchover.predicted,
                    new Downtime(
                            switchover.stopped - switchover.begin,
                            switchover.quiesced - switchover.stopped,
                            switchover.copying - switchover.quiesced,
                            drained - switchover.copying,
                            loaded - drained,
                            resumed - loaded),
                    after,
                    statistics());
            record(report);
            return report;
        } catch (IOException e) {
            throw failed(e, to);
        } catch (RuntimeException | Error e) {
            throw failed(new IOException("unexpected: " + e, e), to);
        }
    }

    private void enter(Phase phase) {
        phases.enter(phase);
        listener.onPhase(phase);
    }

    private static void record(MigrationReport report) {
        SwitchoverEvent event = new SwitchoverEvent();
        event.predicted = Math.max(0, report.predictedDowntimeNanos());
        event.downtime = report.downtime().total();
        event.stopVm = report.downtime().stopVm();
        event.quiesce = report.downtime().quiesce();
        event.stopCopy = report.downtime().stopCopy();
        event.drain = report.downtime().drain();
        event.load = report.downtime().load();
        event.resume = report.downtime().resume();
        event.commit();
    }

    /** A switchover that was decided, and when its steps were done. */
    private record Switchover(
            int round,
            @Nullable Downtime predicted,
            long preCopyBytes,
            long begin,
            long stopped,
            long quiesced,
            long copying) {}

    /**
     * Sends state while the virtual machine runs, stops all and sends what is left; again, if a handler turns out not
     * to be ready.
     */
    private Switchover untilCompleted() throws IOException {
        boolean iterates = runs && crew.members().stream().anyMatch(OutgoingStream::iterates);
        while (true) {
            Forecast forecast = iterates ? preCopy() : null;
            boolean ready = forecast != null && forecast.isReady();
            if (runs) {
                long before = execution.nanoTime();
                vm.prepare();
                if (execution.nanoTime() - before >= SILENCE_NANOS) {
                    // The other side shall know that this one lives. Else it costs all threads a way there and back.
                    crew.all("ping", OutgoingStream::ping, this::stopOthers);
                }
            }
            enter(Phase.STOP_COPY);
            long begin = execution.nanoTime();
            if (runs) {
                vmStopped = true;
                vm.stop();
            }
            long stopped = execution.nanoTime();
            long preCopyBytes = bytesSent();
            crew.start(List.of(
                    new Crew.Named<>("quiesce", OutgoingStream::quiesce, () -> !ready || allReady()),
                    new Crew.Named<>("stop", OutgoingStream::stop),
                    new Crew.Named<>("complete", OutgoingStream::complete)));
            crew.finish(this::stopOthers);
            long quiesced = crew.doneAt(0);
            if (!crew.hasDone(1)) {
                model.withdrawn(stopped - begin, quiesced - stopped);
                withdraw();
                continue;
            }
            return new Switchover(
                    forecast == null ? 0 : forecast.round(),
                    forecast == null ? null : forecast.downtime(),
                    preCopyBytes,
                    begin,
                    stopped,
                    quiesced,
                    crew.doneAt(1));
        }
    }

    private boolean allReady() {
        return crew.members().stream().allMatch(stream -> stream.requiredBytes() == 0 && stream.acksOutstanding() == 0);
    }

    /** New initial data came up after the decision: the stop is not final yet, so the virtual machine goes on. */
    private void withdraw() throws IOException {
        List<String> names = crew.members().stream()
                .filter(stream -> stream.requiredBytes() > 0 || stream.acksOutstanding() > 0)
                .map(OutgoingStream::name)
                .toList();
        crew.all("unquiesce", OutgoingStream::unquiesce, this::stopOthers);
        vm.resume("switchover withdrawn");
        vmStopped = false;
        listener.onNotice("the switchover was withdrawn, for new initial data came up in " + String.join(", ", names));
    }

    /** Sends state while the virtual machine runs, until the policy says to stop it. */
    private Forecast preCopy() throws IOException {
        enter(Phase.PRE_COPY);
        boolean waiting = false;
        while (true) {
            roundOver = false;
            crew.members().forEach(OutgoingStream::goOn);
            crew.start("iterate", OutgoingStream::preCopy);
            awaitCandidate();
            // All hold still with exact figures, for one chunk's time: else one's would be old when the last one's
            // come.
            crew.members().forEach(OutgoingStream::hold);
            execution.changed();
            crew.finish(this::stopOthers);
            Forecast forecast = forecast();
            switch (policy.decide(forecast, limits)) {
                case SWITCH_OVER -> {
                    if (mayProceed) {
                        return forecast;
                    }
                    if (!waiting) {
                        waiting = true;
                        enter(Phase.WAITING);
                    }
                }
                case GIVE_UP -> throw notConverged(forecast);
                case THROTTLE -> throttleMore(forecast);
                case CONTINUE -> {}
            }
        }
    }

    /** Waits until something other than to go on seems to be right, by what is known without asking. */
    private void awaitCandidate() throws IOException {
        while (true) {
            long now = execution.nanoTime();
            long nextLook = lastProgress + PROGRESS_NANOS;
            long timeOver = preCopyBegin + limits.maxPreCopy().toNanos();
            execution.await(
                    timeOver > now ? Math.min(nextLook, timeOver) : nextLook,
                    () -> roundOver || acksOutstanding() < acksSeen || crew.anyFailed() || isEnding());
            if (crew.hasFailed() || isEnding()) {
                failing = true;
                crew.members().forEach(OutgoingStream::hold);
                execution.changed();
                finishFailing();
                throw new MigrationException(Reason.TRANSPORT, "the other side has ended the connection");
            }
            now = execution.nanoTime();
            // Read once: what comes after this is seen by the next look.
            int acks = acksOutstanding();
            boolean look = roundOver || acks < acksSeen || now >= timeOver || areTooManyBytesSent();
            roundOver = false;
            acksSeen = acks;
            measureTotal(now);
            progress(Phase.PRE_COPY, now);
            if (look && policy.decide(forecast(), limits) != SwitchoverPolicy.Decision.CONTINUE) {
                return;
            }
            crew.members().forEach(OutgoingStream::roundSeen);
            execution.changed();
        }
    }

    /** Ends pre-copy with the failure of a handler, but not for one that only ended because it was told to. */
    private void finishFailing() throws MigrationException {
        try {
            crew.finish(this::stopOthers);
        } catch (MigrationException e) {
            if (e.reason() != Reason.CANCELLED) {
                throw e;
            }
        }
        requireNotCancelled();
    }

    private boolean areTooManyBytesSent() {
        long limit = limits.maxPreCopyBytes();
        return limit > 0 && bytesSent() >= limit;
    }

    private boolean isEnding() {
        OutgoingLink to = link;
        return stage.get() == Stage.CANCELLED || (to != null && to.hasEnded());
    }

    private void measureTotal(long now) {
        long total = bytesSent();
        if (now - lastTotalAt >= PROGRESS_NANOS && limits.maxBytesPerSecond() == 0) {
            model.total((total - lastTotal) * TimeUnit.SECONDS.toNanos(1) / (now - lastTotalAt));
            lastTotal = total;
            lastTotalAt = now;
        }
    }

    private Forecast forecast() {
        List<OutgoingStream> streams = crew.members();
        Forecast forecast = model.forecast(
                streams.stream()
                        .filter(OutgoingStream::iterates)
                        .mapToInt(OutgoingStream::round)
                        .min()
                        .orElse(0),
                execution.nanoTime() - preCopyBegin,
                bytesSent(),
                streams.stream().mapToLong(OutgoingStream::requiredBytes).reduce(0, Pending::sum),
                acksOutstanding(),
                streams.stream().mapToLong(OutgoingStream::settleNanos).max().orElse(0),
                streams.stream()
                        .map(stream -> new DowntimeModel.Rest(
                                stream.downtimeBytes(), stream.bandwidth().bytesPerSecond()))
                        .toList());
        predictedNanos = forecast.downtimeNanos();
        return forecast;
    }

    private int acksOutstanding() {
        return crew.members().stream().mapToInt(OutgoingStream::acksOutstanding).sum();
    }

    private long bytesSent() {
        return crew.members().stream().mapToLong(OutgoingStream::bytesSent).sum();
    }

    private long bytesPerSecond() {
        return crew.members().stream()
                .map(OutgoingStream::bandwidth)
                .mapToLong(Bandwidth::bytesPerSecond)
                .sum();
    }

    private void throttleMore(Forecast forecast) {
        if (forecast.round() <= throttledRound || throttle == MOST_THROTTLE) {
            return;
        }
        throttledRound = forecast.round();
        throttle = throttle == 0 ? FIRST_THROTTLE : Math.min(MOST_THROTTLE, throttle + MORE_THROTTLE);
        throttleTo(throttle);
    }

    private void throttleTo(int percent) {
        try {
            vm.throttle(percent);
            listener.onNotice("the virtual CPUs are slowed down by " + percent + " %");
        } catch (IOException e) {
            listener.onNotice("the virtual CPUs could not be slowed down: " + MigrationException.message(e));
        }
    }

    /** The only place where the state changes hands. */
    private void handOver(OutgoingLink to) throws IOException {
        if (!stage.compareAndSet(Stage.ACTIVE, Stage.COMMITTED)) {
            throw cancelled();
        }
        try {
            to.commit();
        } catch (IOException e) {
            if (!to.mayBeCommitted()) {
                stage.set(Stage.ACTIVE);
            }
            throw e;
        }
        to.awaitRunning();
    }

    /**
     * The destination runs; what the handlers have that could wait goes there before any of them lets go of anything,
     * for the destination is not to wait for that.
     */
    private AfterSwitchover afterSwitchover(OutgoingLink to) {
        List<OutgoingStream> later =
                crew.members().stream().filter(OutgoingStream::hasLater).toList();
        if (later.isEmpty()) {
            return AfterSwitchover.NONE;
        }
        enter(Phase.AFTER_SWITCHOVER);
        long begin = execution.nanoTime();
        long before = bytesSent();
        Map<String, String> missing = new TreeMap<>();
        Set<String> cut = new HashSet<>();
        for (Crew.Trouble<OutgoingStream> trouble : crew.allThatCan("saveLater", OutgoingStream::saveLater)) {
            missing.put(trouble.member().name(), trouble.named());
            if (trouble.failure().reason() == Reason.TRANSPORT) {
                cut.add(trouble.member().name());
            }
            trouble.member().closeChannel();
        }
        try {
            for (Message.Missing there : to.awaitComplete()) {
                later.stream()
                        .filter(stream -> stream.number() == there.stream())
                        // A connection that ended is what came of it.
                        .filter(stream -> cut.contains(stream.name()) || !missing.containsKey(stream.name()))
                        .forEach(stream -> missing.put(stream.name(), there.reason()));
            }
        } catch (IOException e) {
            later.forEach(stream -> missing.putIfAbsent(
                    stream.name(),
                    stream.name() + ": the destination has not confirmed it: " + MigrationException.message(e)));
        }
        missing.values()
                .forEach(reason ->
                        listener.onNotice("all runs at the destination, which lacks what could wait: " + reason));
        AfterSwitchover after = new AfterSwitchover(
                bytesSent() - before,
                execution.nanoTime() - begin,
                missing.entrySet().stream()
                        .map(each -> new AfterSwitchover.Missing(each.getKey(), each.getValue()))
                        .toList());
        return after;
    }

    /** The state is at the other side, or whole in the file: nothing that fails here makes that undone. */
    private void release() {
        for (Crew.Trouble<OutgoingStream> trouble :
                crew.allThatCan("release", stream -> stream.handler().release())) {
            listener.onNotice("the migration is complete, but not all was let go of here: "
                    + MigrationException.message(trouble.failure())
                    + (resetBehind(trouble.failure()) != null ? ": it was reset instead" : ""));
        }
    }

    /** What handlers have said since. */
    private void passNoticesOn() {
        for (String notice = notices.poll(); notice != null; notice = notices.poll()) {
            listener.onNotice(notice);
        }
    }

    private void progress(Phase phase, long now) {
        passNoticesOn();
        if (now - lastProgress >= PROGRESS_NANOS) {
            lastProgress = now;
            List<OutgoingStream> streams = crew.members();
            listener.onProgress(new MigrationProgress(
                    phase,
                    streams.stream().mapToInt(OutgoingStream::round).min().orElse(0),
                    bytesSent(),
                    bytesPerSecond(),
                    streams.stream().mapToLong(OutgoingStream::iterableBytes).reduce(0, Pending::sum),
                    predictedNanos));
        }
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

    private MigrationException notConverged(Forecast forecast) {
        return new MigrationException(
                Reason.NOT_CONVERGED,
                "pre-copy does not converge: after round " + forecast.round() + " the downtime would be "
                        + millis(forecast.downtimeNanos()) + " ms (" + millis(forecast.fixedNanos())
                        + " ms of it for the devices' transitions and the handover), the limit is "
                        + limits.downtimeLimit().toMillis() + " ms; raise the limit, or let it switch over anyway");
    }

    private static long millis(long nanos) {
        return TimeUnit.NANOSECONDS.toMillis(nanos);
    }

    /** One handler has failed, or the caller has cancelled: the others are to end what they do. */
    private void stopOthers() {
        failing = true;
        OutgoingLink to = link;
        if (to != null) {
            if (isCancelled() && to.carriesOn()) {
                // Now, for a driver may keep a handler so long that the other side takes this one for lost.
                abort(to, cancelled());
            }
            to.closeData();
        }
        execution.changed();
    }

    private void abort(OutgoingLink to, MigrationException failure) {
        if (!aborted) {
            aborted = true;
            to.abort(MigrationException.message(failure));
        }
    }

    /** Ends a migration that failed in its course: takes all back, or leaves it in doubt. */
    private MigrationException failed(IOException cause, OutgoingLink to) {
        MigrationException failure = reasonFor(cause, to);
        Stage at = stage.get();
        if (at == Stage.AFTER_SWITCHOVER || at == Stage.GIVEN_UP || at == Stage.ENDED) {
            // What fails after the end is no reason to run anything here, for the other side does and has said so.
            to.close();
            return new MigrationException(
                    failure.reason(),
                    "all runs at the destination, and stays stopped here; what came thereafter failed: "
                            + MigrationException.message(failure),
                    failure);
        }
        boolean committed = at == Stage.COMMITTED;
        if (!committed) {
            abort(to, failure);
        }
        to.close();
        if (committed) {
            stage.set(Stage.IN_DOUBT);
            enter(Phase.IN_DOUBT);
            return new MigrationException(
                    Reason.IN_DOUBT,
                    "the destination was told to run, but did not confirm it (" + MigrationException.message(failure)
                            + "); all stays stopped here until you say who runs",
                    failure);
        }
        tellOfReset(failure);
        takeBack(failure);
        return failure;
    }

    /** Several handlers may have failed beside each other, and the reset need not be behind the first failure. */
    private void tellOfReset(MigrationException failure) {
        Stream.concat(Stream.of(failure), Arrays.stream(failure.getSuppressed()))
                .filter(MigrationException.class::isInstance)
                .map(MigrationException.class::cast)
                .filter(one -> resetBehind(one) != null)
                .forEach(one -> listener.onNotice(
                        "a device had to be reset, and what it held is lost: " + MigrationException.message(one)));
    }

    private static @Nullable VfioException resetBehind(MigrationException failure) {
        return failure.getCause() instanceof VfioException cause && cause.deviceWasReset() ? cause : null;
    }

    private MigrationException reasonFor(IOException cause, OutgoingLink to) {
        if (stage.get() == Stage.CANCELLED) {
            return asCancelled(cause);
        }
        MigrationException failure = MigrationException.of(cause);
        if (failure.reason() == Reason.TRANSPORT) {
            MigrationException said = to.reasonOfPeer();
            if (said != null && said != failure) {
                said.addSuppressed(failure);
                return said;
            }
        }
        return failure;
    }

    /** Two steps up for all handlers together, as they went down. */
    private void takeBack(MigrationException failure) {
        failing = false;
        boolean back = tell(crew.allThatCan("resumeQuiesced", OutgoingStream::resumeQuiesced), failure);
        // None is to run beside one that may be stopped, unless all do as the virtual machine does.
        if (back || !vmStopped) {
            back &= tell(crew.allThatCan("resume", OutgoingStream::resume), failure);
        }
        if (throttle > 0) {
            throttleTo(0);
        }
        if (!vmStopped) {
            return;
        }
        if (!back) {
            listener.onNotice("the virtual machine stays stopped, for not all of its devices run: take them to RUNNING "
                    + "and resume it, or reset them");
            return;
        }
        try {
            vm.resume("migration failed");
        } catch (IOException e) {
            failure.addSuppressed(e);
            listener.onNotice("the virtual machine could not be resumed: " + MigrationException.message(e));
        }
    }

    private boolean tell(List<Crew.Trouble<OutgoingStream>> troubles, MigrationException failure) {
        boolean good = true;
        for (Crew.Trouble<OutgoingStream> trouble : troubles) {
            if (trouble.failure() != failure) {
                failure.addSuppressed(trouble.failure());
            }
            VfioException reset = resetBehind(trouble.failure());
            listener.onNotice("it could not be taken back: " + MigrationException.message(trouble.failure())
                    + (reset != null ? "; it was reset, and what it held is lost" : ""));
            good &= reset != null && reset.stateAfter() == MigrationState.RUNNING;
        }
        return good;
    }

    private MigrationException ended(IOException e) {
        if (stage.get() == Stage.IN_DOUBT) {
            return MigrationException.of(e);
        }
        MigrationException failure =
                stage.getAndSet(Stage.ENDED) == Stage.CANCELLED ? asCancelled(e) : MigrationException.of(e);
        enter(Phase.FAILED);
        return failure;
    }

    private static MigrationException asCancelled(IOException e) {
        return MigrationException.cancelled(e);
    }

    /** What a handler's stream sees of the migration. */
    private final class Whole implements OutgoingStream.Whole {
        @Override
        public void requireGoingOn() throws IOException {
            requireNotCancelled();
            if (failing || (stage.get() == Stage.AFTER_SWITCHOVER && isEnding())) {
                // No cancellation, for nobody here has asked for one. What the other side says comes before this.
                throw new MigrationException(
                        Reason.TRANSPORT, "the other side has ended the connection, or another handler has failed");
            }
        }

        /** Handlers that have nothing to send leave their share to the others. */
        @Override
        public long fairBytesPerSecond() {
            long limit = limits.maxBytesPerSecond();
            if (limit == 0) {
                return 0;
            }
            long busy = crew.members().stream()
                    .filter(stream -> !stream.isDrained())
                    .count();
            return Math.max(1, limit / Math.max(1, busy));
        }

        @Override
        public long thresholdBytes(long bytesPerSecond) {
            double bytes = bytesPerSecond * (limits.downtimeLimit().toNanos() / 1e9);
            return bytes >= Long.MAX_VALUE ? Long.MAX_VALUE : (long) bytes;
        }

        @Override
        public void roundOver() {
            roundOver = true;
            execution.changed();
        }

        @Override
        public void notice(String text) {
            notices.add(text);
        }
    }
}
