// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;

/**
 * Draws where the threads that move state spend their time, as an SVG picture, from a profiler's collapsed stacks.
 *
 * <p>{@code FlameGraph STACKS SVG TITLE}: of each line {@code THREAD;FRAME;FRAME… COUNT}, those of threads that save or
 * load count.
 */
public final class FlameGraph {
    private static final int WIDTH = 1000;
    private static final int ROW = 18;
    private static final int TOP = 30;
    private static final double LEAST_SHARE = 0.004;
    private static final double PIXELS_PER_LETTER = 6.2;
    private static final String THREADS = "\\[?vfio4j-(save|load|send|receive|thread)\\b.*";

    /** A function, below those that called it. */
    private static final class Frame {
        private final TreeMap<String, Frame> callees = new TreeMap<>();
        private long count;
    }

    private final Frame root = new Frame();
    private final StringBuilder svg = new StringBuilder();

    private FlameGraph() {}

    /**
     * Draws one graph.
     *
     * @param arguments see above
     * @throws IOException when a file cannot be read or written, or no thread that saves or loads is in it
     */
    public static void main(String[] arguments) throws IOException {
        Path stacks = Path.of(arguments[0]);
        Files.writeString(Path.of(arguments[1]), svg(Files.readAllLines(stacks), arguments[2]));
    }

    static String svg(List<String> stacks, String title) throws IOException {
        FlameGraph graph = new FlameGraph();
        stacks.forEach(graph::add);
        if (graph.root.count == 0) {
            throw new IOException("no thread in it saves or loads");
        }
        return graph.draw(title);
    }

    private void add(String line) {
        int space = line.lastIndexOf(' ');
        String[] frames = line.substring(0, Math.max(0, space)).split(";", -1);
        if (!frames[0].matches(THREADS)) {
            return;
        }
        long count = Long.parseLong(line.substring(space + 1));
        Frame at = root;
        at.count += count;
        for (int i = 1; i < frames.length; i++) {
            at = at.callees.computeIfAbsent(shortened(frames[i]), none -> new Frame());
            at.count += count;
        }
    }

    /** A class without its package, and without what marks how it was compiled. */
    private static String shortened(String frame) {
        return frame.replaceAll("_\\[[a-z0-9]\\]$", "").replaceAll("^.*/(?=[A-Z])", "");
    }

    private String draw(String title) {
        int height = TOP + (depth(root) + 1) * ROW + 10;
        append(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" font-family=\"monospace\" font-size=\"11\">",
                WIDTH, height, WIDTH, height);
        append("<rect width=\"%d\" height=\"%d\" fill=\"white\"/>", WIDTH, height);
        append("<text x=\"4\" y=\"18\" font-size=\"14\" font-weight=\"bold\">%s</text>", escape(title));
        draw(root, "all", 0, 0);
        return svg.append("</svg>\n").toString();
    }

    private boolean isShown(Frame frame) {
        return (double) frame.count / root.count >= LEAST_SHARE;
    }

    private int depth(Frame frame) {
        return frame.callees.values().stream()
                .filter(this::isShown)
                .mapToInt(callee -> 1 + depth(callee))
                .max()
                .orElse(0);
    }

    private void draw(Frame frame, String name, double from, int level) {
        double share = (double) frame.count / root.count;
        double x = from * WIDTH;
        double width = share * WIDTH;
        int y = TOP + level * ROW;
        append(
                "<g><title>%s: %.1f %%</title><rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" stroke=\"white\"/>",
                escape(name), share * 100, x, y, width, ROW, colour(name));
        int letters = (int) (width / PIXELS_PER_LETTER);
        if (letters > 3) {
            append(
                    "<text x=\"%.1f\" y=\"%d\">%s</text>",
                    x + 3, y + 13, escape(name.length() <= letters ? name : name.substring(0, letters - 1) + "…"));
        }
        svg.append("</g>\n");
        double at = from;
        for (var callee : frame.callees.entrySet()) {
            if (isShown(callee.getValue())) {
                draw(callee.getValue(), callee.getKey(), at, level + 1);
            }
            at += (double) callee.getValue().count / root.count;
        }
    }

    /** What copies, what checks, what else is the kernel's, and the rest. */
    private static String colour(String name) {
        if (name.matches(".*(copy_|_copy|memcpy|rep_movs|clear_page).*")) {
            return "#e8a05c";
        }
        if (name.contains("CRC32C")) {
            return "#8fbf8f";
        }
        return name.matches("[a-z0-9_.@]+") ? "#f2d9b8" : "#b7cfe8";
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would be one more dependency
    private void append(String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }
}
