// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.device.VfioException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.stream.StreamException;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The handlers of a migration, or its virtual machine, at work: each step is done by all of them beside each other, and
 * is over when all are.
 *
 * <p>For the migration's thread.
 *
 * @param <M> one side's members
 */
final class Crew<M extends Crew.Member> {
    /** One handler at work. */
    interface Member {
        String name();

        Worker worker();

        /** What a person is to do about it when nobody knows what it does. */
        default String remedy() {
            return "reset it when it answers again";
        }
    }

    /** What each member does in a step. */
    @FunctionalInterface
    interface Step<M> {
        void run(M member) throws IOException;
    }

    /**
     * A step by the name that a {@link StateHandler} has for it.
     *
     * @param goesOn whether the next one may begin, when all have done this one
     */
    record Named<M>(String name, Step<M> step, BooleanSupplier goesOn) {
        Named(String name, Step<M> step) {
            this(name, step, () -> true);
        }
    }

    /** What is behind a gate. */
    private enum Way {
        UNKNOWN,
        ON,
        /** Nothing more is to be done. */
        END,
        /** One who was waited for will not come. */
        CLOSED
    }

    /** Where those who are done with a step wait for the others. */
    private final class Gate {
        private final AtomicInteger missing;
        private final BooleanSupplier goesOn;
        private final AtomicReference<Way> way = new AtomicReference<>(Way.UNKNOWN);
        private volatile long reachedAt;

        Gate(int members, BooleanSupplier goesOn) {
            this.missing = new AtomicInteger(members);
            this.goesOn = goesOn;
        }

        void arrive(Worker worker) {
            if (missing.decrementAndGet() == 0) {
                reachedAt = execution.nanoTime();
                way.compareAndSet(Way.UNKNOWN, goesOn.getAsBoolean() ? Way.ON : Way.END);
                execution.changed();
            }
            worker.awaitsPeer();
            execution.await(execution.nanoTime() + FOREVER, () -> way.get() != Way.UNKNOWN);
            worker.alive();
        }

        /** Has no effect when all have come: what they do next, all of them do. */
        void close() {
            way.compareAndSet(Way.UNKNOWN, Way.CLOSED);
        }

        boolean isReached() {
            return way.get() == Way.ON || way.get() == Way.END;
        }
    }

    /** Steps that were begun together: who comes back late from one that was given up has no part in later ones. */
    private final class Begun {
        private final List<Gate> gates;
        private volatile boolean leftOut;

        Begun(List<Gate> gates) {
            this.gates = gates;
        }
    }

    /** What became of one member's part. */
    record Trouble<M extends Member>(M member, MigrationException failure) {
        /** What failed, with the member's name before it, whatever the failure says of itself. */
        String named() {
            String message = MigrationException.message(failure);
            return message.startsWith(member.name() + ": ") ? message : member.name() + ": " + message;
        }
    }

    /** A call that goes on after a cancellation or a failure is waited for no longer than this. */
    private static final long IMPATIENT_NANOS = 8_000_000_000L;

    private static final long MILLI = 1_000_000;

    private static final long FOREVER = Long.MAX_VALUE / 2;

    /** The first one finds the code cold. Odd, so that one is in the middle. */
    private static final int EMPTY_STEPS = 5;

    private final Execution execution;
    private final long limitNanos;
    private final BooleanSupplier impatient;
    private final List<M> members = new ArrayList<>();
    private final Set<M> hanging = new HashSet<>();
    private Begun begun = new Begun(List.of());

    /**
     * Makes a crew without members.
     *
     * @param limitNanos how long one call of a handler may take
     * @param impatient whether the migration has been cancelled, so that nobody wants to wait so long
     */
    Crew(Execution execution, long limitNanos, BooleanSupplier impatient) {
        this.execution = execution;
        this.limitNanos = limitNanos;
        this.impatient = impatient;
    }

    void add(M member) {
        members.add(member);
    }

    List<M> members() {
        return members;
    }

    /**
     * Begins a step, which {@link #finish} ends. Who has come back from a call that was given up takes part again.
     *
     * @param name what a {@link StateHandler} calls it
     */
    void start(String name, Step<M> step) {
        start(List.of(new Named<>(name, step)));
    }

    /**
     * Begins steps, each when all have done the one before; {@link #finish} ends them all. Who is done waits for the
     * others by itself, which is faster than to be heard and started anew. Nobody does the next one when one fails.
     */
    void start(List<Named<M>> steps) {
        List<M> ready = ready();
        Begun all = new Begun(steps.stream()
                .limit(steps.size() - 1L)
                .map(step -> new Gate(ready.size(), step.goesOn))
                .toList());
        begun = all;
        for (M member : ready) {
            List<Worker.Part> parts = new ArrayList<>();
            for (int i = 0; i < steps.size(); i++) {
                parts.add(part(member, steps.get(i), i, all));
            }
            member.worker().start(parts);
        }
    }

    private Worker.Part part(M member, Named<M> named, int index, Begun all) {
        return new Worker.Part(
                named.name,
                () -> index == 0 || mayPass(all.gates.get(index - 1), all),
                () -> named.step.run(member),
                () -> {
                    if (index < all.gates.size()) {
                        all.gates.get(index).arrive(member.worker());
                    }
                });
    }

    private boolean mayPass(Gate gate, Begun all) {
        if (gate.way.get() == Way.CLOSED) {
            all.leftOut = true;
        }
        return gate.way.get() == Way.ON;
    }

    private List<M> ready() {
        hanging.removeIf(member -> member.worker().isIdle());
        return members.stream().filter(member -> !hanging.contains(member)).toList();
    }

    /** Tells whether all have done one of the steps that were started in order; not for the last one. */
    boolean hasDone(int index) {
        return begun.gates.get(index).isReached();
    }

    /** When all had done one of the steps that were started in order; not for the last one. */
    long doneAt(int index) {
        return begun.gates.get(index).reachedAt;
    }

    /** Tells whether a member has failed in the step that is under way, or has taken too long. */
    boolean hasFailed() {
        return anyFailed() || anyOverdue(false);
    }

    /** Tells whether a member has said that it has failed in the step that is under way. Any thread. */
    boolean anyFailed() {
        return members.stream().anyMatch(member -> member.worker().failure() != null);
    }

    /**
     * Does a step.
     *
     * @param name what a {@link StateHandler} calls it
     * @param atFailure what to do when the first member fails or nobody wants to wait any more, so that the others end
     *     soon
     * @throws MigrationException the first failure, when all have ended; the others' are suppressed in it
     */
    void all(String name, Step<M> step, Runnable atFailure) throws MigrationException {
        start(name, step);
        finish(atFailure);
    }

    /** Waits for the end of the step that is under way, as {@link #all}. */
    void finish(Runnable atFailure) throws MigrationException {
        boolean told = false;
        MigrationException tooSlow = null;
        while (!isIdle()) {
            boolean wait = told;
            execution.await(nextDeadline(told), () -> isIdle() || (!wait && anyFailed()));
            if (!told) {
                tooSlow = tooSlow();
                told = tooSlow != null || anyFailed() || impatient.getAsBoolean();
                if (told) {
                    closeGates();
                    atFailure.run();
                }
            }
            if (told) {
                // Nobody before: the others would wait at a gate for one who is not waited for any more.
                giveUpOverdue(true);
            }
        }
        List<Trouble<M>> troubles = troubles();
        if (!troubles.isEmpty()) {
            throw worst(troubles);
        }
        if (begun.leftOut) {
            // Nobody has failed: one came back after all, or somebody wanted to wait no more.
            throw tooSlow == null ? MigrationException.cancelled(null) : tooSlow;
        }
    }

    private @Nullable MigrationException tooSlow() {
        return members.stream()
                .filter(member -> isOverdue(member, false))
                .findFirst()
                .map(member -> new MigrationException(
                        Reason.DEVICE,
                        member.name() + ": it has not answered for "
                                + TimeUnit.NANOSECONDS.toMillis(limit(false)) + " ms ("
                                + member.worker().step() + ")"))
                .orElse(null);
    }

    private void closeGates() {
        begun.gates.forEach(Gate::close);
        execution.changed();
    }

    /**
     * Tries how long a step takes in which nobody has anything to do: to wake all threads up and to hear from them. As
     * a rule, and not at best: in the downtime there are several, and none gets a second try.
     */
    long emptyStepNanos() throws MigrationException {
        long[] nanos = new long[EMPTY_STEPS];
        for (int i = 0; i < EMPTY_STEPS; i++) {
            execution.rest();
            long begin = execution.nanoTime();
            emptyStep();
            nanos[i] = execution.nanoTime() - begin;
        }
        Arrays.sort(nanos);
        return nanos[EMPTY_STEPS / 2];
    }

    /** Wakes all threads up, and hears from them. */
    void emptyStep() throws MigrationException {
        all("wake up", member -> {}, () -> {});
    }

    /** Does a step although members may fail, and says which did. */
    List<Trouble<M>> allThatCan(String name, Step<M> step) {
        start(name, step);
        while (!isIdle()) {
            execution.await(nextDeadline(false), this::isIdle);
            giveUpOverdue(false);
        }
        return troubles();
    }

    /** Ends all threads and waits for them, but for those that hang. Says which of the others did not end well. */
    List<Trouble<M>> dismiss() {
        hanging.removeIf(member -> member.worker().isIdle());
        members.forEach(member -> member.worker().end());
        List<M> awaited =
                members.stream().filter(member -> !hanging.contains(member)).toList();
        execution.await(
                execution.nanoTime() + limit(false),
                () -> awaited.stream().allMatch(member -> member.worker().hasEnded()));
        for (M member : awaited) {
            if (member.worker().hasEnded()) {
                member.worker().join();
            } else {
                hanging.add(member);
            }
        }
        return troublesOf(awaited);
    }

    /** Tells whether the step that is under way is over. For this crew's thread, and in what it waits for. */
    boolean isIdle() {
        return members.stream().allMatch(member -> member.worker().isIdle() || hanging.contains(member));
    }

    private long limit(boolean failing) {
        return failing || impatient.getAsBoolean() ? Math.min(limitNanos, IMPATIENT_NANOS) : limitNanos;
    }

    private long nextDeadline(boolean failing) {
        // A cancellation wakes nobody up by itself: look again soon.
        return execution.nanoTime() + Math.min(limit(failing), 100 * MILLI);
    }

    private boolean isOverdue(M member, boolean failing) {
        Worker worker = member.worker();
        return !worker.isIdle() && !hanging.contains(member) && worker.silentNanos() > limit(failing);
    }

    private boolean anyOverdue(boolean failing) {
        return members.stream().anyMatch(member -> isOverdue(member, failing));
    }

    private void giveUpOverdue(boolean failing) {
        members.stream().filter(member -> isOverdue(member, failing)).forEach(hanging::add);
    }

    private List<Trouble<M>> troubles() {
        return troublesOf(members);
    }

    private List<Trouble<M>> troublesOf(List<M> some) {
        List<Trouble<M>> troubles = new ArrayList<>();
        for (M member : some) {
            IOException failure = member.worker().failure();
            if (hanging.contains(member)) {
                troubles.add(new Trouble<>(
                        member,
                        new MigrationException(
                                Reason.DEVICE,
                                member.name() + ": it does not answer ("
                                        + member.worker().step()
                                        + "); nobody knows what it does, so "
                                        + member.remedy())));
            } else if (failure != null) {
                troubles.add(new Trouble<>(member, named(member.name(), failure)));
            }
        }
        return troubles;
    }

    /** What the crew's own types say names what failed already; what a handler throws may not. */
    static MigrationException named(String name, IOException e) {
        return switch (e) {
            case MigrationException m -> m;
            case VfioException v -> MigrationException.of(v);
            case TransportException t -> MigrationException.of(t);
            case StreamException s -> MigrationException.of(s);
            default -> new MigrationException(Reason.DEVICE, name + ": " + MigrationException.message(e), e);
        };
    }

    /** Of several failures, the one that the others are consequences of, as far as can be told. */
    private static <M extends Member> MigrationException worst(List<Trouble<M>> troubles) {
        MigrationException worst = troubles.stream()
                .map(Trouble::failure)
                .max(Comparator.comparingInt(Crew::weight))
                .orElseThrow();
        for (Trouble<M> trouble : troubles) {
            if (trouble.failure() != worst) {
                worst.addSuppressed(trouble.failure());
            }
        }
        return worst;
    }

    /** A connection ends when another handler has failed; who was told to end after all that is the last to know. */
    private static int weight(MigrationException e) {
        return switch (e.reason()) {
            case CANCELLED -> 0;
            case TRANSPORT -> 1;
            default -> 2;
        };
    }
}
