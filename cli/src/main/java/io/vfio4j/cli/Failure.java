// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.Cancellation.CancelledException;
import io.vfio4j.device.VfioException;
import io.vfio4j.ffm.NativeAccessException;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Why a command failed, in a person's words: one line, what followed from it, and what to do.
 *
 * @param exit the exit code
 * @param reason a word for programs
 * @param message one line
 * @param details more lines
 */
record Failure(ExitCode exit, String reason, String message, List<String> details) {

    static Failure of(Throwable thrown) {
        List<String> details = new ArrayList<>();
        for (Throwable suppressed : thrown.getSuppressed()) {
            details.add(message(suppressed));
        }
        ExitCode exit = exitOf(thrown);
        String message = exit == ExitCode.INTERNAL ? "internal error: " + words(thrown) : message(thrown);
        String hint = hint(exit, thrown);
        if (hint != null) {
            details.add(hint);
        }
        return new Failure(exit, exit.name().toLowerCase(Locale.ROOT), message, List.copyOf(details));
    }

    void print(PrintWriter err) {
        err.println("error: " + message);
        details.forEach(detail -> err.println("  " + detail));
    }

    private static ExitCode exitOf(Throwable thrown) {
        return switch (thrown) {
            case MigrationException m -> {
                Throwable bug = unexpected(m);
                yield bug == null ? ExitCode.of(m.reason()) : exitOf(bug);
            }
            case CancelledException c -> ExitCode.CANCELLED;
            case MissedException m -> ExitCode.MISSED;
            case VfioException v -> ExitCode.DEVICE;
            case TransportException t -> ExitCode.TRANSPORT;
            case NativeAccessException n -> ExitCode.CANNOT_RUN;
            case OutOfMemoryError o -> ExitCode.CANNOT_RUN;
            case IOException e -> ExitCode.DEVICE;
            default -> ExitCode.INTERNAL;
        };
    }

    /** Core gives an exception that is a bug the place of an I/O failure, so that it takes the device back first. */
    private static @Nullable Throwable unexpected(MigrationException failure) {
        Throwable cause = failure.getCause();
        if (cause == null || cause.getClass() != IOException.class) {
            return null;
        }
        Throwable bug = cause.getCause();
        return bug instanceof RuntimeException || bug instanceof Error ? bug : null;
    }

    /** What to do, where the message does not say it. */
    private static @Nullable String hint(ExitCode exit, Throwable thrown) {
        return switch (exit) {
            case INTERNAL ->
                "this is a bug: please report it to the vfio4j project, with the output of the same command and --debug";
            case CANNOT_RUN -> thrown instanceof NativeAccessException ? null : "choose a smaller --memory or device";
            case TRANSPORT -> transportHint(thrown);
            case PROTOCOL -> "use the same version of vfio4j on both sides, and its own peer or file";
            case REFUSED -> "choose a device of the same type, driver and firmware as the source's";
            case DAMAGED -> "what came is not what was sent: send or save it again, and do not use this copy";
            case PEER_FAILED -> "see the message at the other side";
            case IN_DOUBT ->
                "look at the destination: does the device run there, it must stay stopped here; "
                        + "does it not, it can be resumed here, and only here";
            default -> null;
        };
    }

    private static @Nullable String transportHint(Throwable thrown) {
        Throwable cause = thrown instanceof MigrationException m ? m.getCause() : thrown;
        if (!(cause instanceof TransportException transport)) {
            return null;
        }
        String message = message(transport);
        return switch (transport.problem()) {
            case UNREACHABLE -> null;
            case TIMED_OUT ->
                message.contains("nobody connected")
                        ? "start the sending side, or wait longer with --accept-timeout"
                        : "see whether the other side runs and the network lets it through; "
                                + "--peer-timeout sets how long it may be silent";
            case ENDED ->
                message.startsWith("file:")
                        ? "the file is cut short: save it again, and do not use this copy"
                        : "see the message at the other side, and whether it speaks vfio4j";
            case FAILED ->
                message.contains("No space left")
                        ? "make room on the disk, or choose a file on another one"
                        : "see whether disk and network are in order";
        };
    }

    private static String words(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = root.getMessage();
        return root.getClass().getSimpleName() + (message == null ? "" : ": " + oneLine(message));
    }

    static String message(Throwable thrown) {
        String message = thrown.getMessage();
        return message == null || message.isBlank() ? thrown.getClass().getSimpleName() : oneLine(message);
    }

    private static String oneLine(String text) {
        return text.strip().replaceAll("\\s*\\R\\s*", " ");
    }
}
