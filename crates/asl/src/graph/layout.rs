//! Layers, order and coordinates: the method of Sugiyama, with labels as nodes of layers of their own, and one trunk for all
//! edges of a group that lead to the same node from afar.

#![expect(clippy::indexing_slicing, reason = "indexes of vectors that are made here")]
#![expect(clippy::cast_precision_loss, reason = "counts of nodes are small")]

use std::collections::BTreeMap;

/// Between neighbours of a layer.
const BETWEEN_NODES: f64 = 28.0;
/// Between a line and its neighbour.
const BETWEEN_LINES: f64 = 14.0;
/// Between layers.
const BETWEEN_LAYERS: f64 = 20.0;
/// Rounds of ordering and of straightening; enough for the drawing to stand still.
const ORDER_ROUNDS: usize = 24;
const STRAIGHTEN_ROUNDS: usize = 200;
/// How many of them, the last ones, look to both sides.
const BOTH_SIDES: usize = 120;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// An edge to lay out. Edges of one group may share their way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) group: usize,
    /// The size of its label; nothing if it has none.
    pub(super) label: Option<Size>,
}

/// A piece of a line, from the bottom of one layer to the top of the next, or through one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    pub(super) group: usize,
    /// Where it has an arrow head.
    pub(super) head: Option<Head>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// At its lower end, pointing down.
    Down,
    /// At its upper end, pointing up: the edge leads back.
    Up,
}

/// Where everything is.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) size: Size,
    /// The centre of each node.
    pub(super) nodes: Vec<(f64, f64)>,
    /// The centre of each edge's label.
    pub(super) labels: Vec<Option<(f64, f64)>>,
    pub(super) segments: Vec<Segment>,
}

/// A vertex of the layered graph.
#[derive(Debug, Clone, Copy)]
struct Vertex {
    layer: usize,
    size: Size,
    is_line: bool,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    upper: usize,
    lower: usize,
    group: usize,
    head: Option<Head>,
}

/// A vertex of the next layer, and how strongly it pulls.
#[derive(Debug, Clone, Copy)]
struct Neighbour {
    vertex: usize,
    pull: f64,
}

#[derive(Default)]
struct Layered {
    vertices: Vec<Vertex>,
    links: Vec<Link>,
    /// The vertices of each layer, from left to right.
    layers: Vec<Vec<usize>>,
    above: Vec<Vec<Neighbour>>,
    below: Vec<Vec<Neighbour>>,
    labels: Vec<Option<usize>>,
}

/// Lays nodes of these sizes out; the first is the start.
pub(super) fn layout(sizes: &[Size], edges: &[Edge]) -> Placed {
    let mut graph = Layered::new(sizes, edges);
    graph.order();
    let x = graph.straighten();
    graph.place(sizes.len(), &x)
}

/// The edges that lead back, found by walking from the start.
fn backward(nodes: usize, edges: &[Edge]) -> Vec<bool> {
    let mut out = vec![Vec::new(); nodes];
    for (n, edge) in edges.iter().enumerate() {
        out[edge.from].push(n);
    }
    let mut back = vec![false; edges.len()];
    // 0: not seen, 1: on the way, 2: done.
    let mut seen = vec![0u8; nodes];
    for root in 0..nodes {
        let mut stack = vec![(root, 0)];
        while let Some((at, next)) = stack.pop() {
            if next == 0 && seen[at] != 0 {
                continue;
            }
            seen[at] = 1;
            match out[at].get(next) {
                None => seen[at] = 2,
                Some(edge) => {
                    stack.push((at, next + 1));
                    let to = edges[*edge].to;
                    match seen[to] {
                        0 => stack.push((to, 0)),
                        1 => back[*edge] = true,
                        _ => {}
                    }
                }
            }
        }
    }
    back
}

/// The layer of each node: below all that lead to it.
fn ranks(nodes: usize, edges: &[Edge], back: &[bool]) -> Vec<usize> {
    let mut ranks = vec![0; nodes];
    for _ in 0..nodes {
        let mut changed = false;
        for (edge, back) in edges.iter().zip(back) {
            let (upper, lower) = if *back { (edge.to, edge.from) } else { (edge.from, edge.to) };
            if upper != lower && ranks[lower] < ranks[upper] + 1 {
                ranks[lower] = ranks[upper] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    ranks
}

impl Layered {
    fn new(sizes: &[Size], edges: &[Edge]) -> Layered {
        let back = backward(sizes.len(), edges);
        let ranks = ranks(sizes.len(), edges, &back);
        let mut graph = Layered::default();
        for (size, rank) in sizes.iter().zip(&ranks) {
            graph.add(rank * 2, *size, false);
        }
        let mut trunks: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
        for (edge, back) in edges.iter().zip(&back) {
            let label = match *back {
                false => graph.forward(edge, &ranks, &mut trunks),
                true => graph.back(edge, &ranks),
            };
            graph.labels.push(label);
        }
        graph.above = vec![Vec::new(); graph.vertices.len()];
        graph.below = vec![Vec::new(); graph.vertices.len()];
        for link in &graph.links {
            let pull = graph.pull(link);
            graph.above[link.lower].push(Neighbour { vertex: link.upper, pull });
            graph.below[link.upper].push(Neighbour { vertex: link.lower, pull });
        }
        graph
    }

    /// Long lines shall be straight before anything else, then the ways of the first groups.
    fn pull(&self, link: &Link) -> f64 {
        let group = 1.0 / (1.0 + link.group as f64);
        match (self.vertices[link.upper].is_line, self.vertices[link.lower].is_line) {
            (true, true) => 8.0 + 8.0 * group,
            (false, false) => 2.0 * group,
            _ => 4.0 * group,
        }
    }

    fn add(&mut self, layer: usize, size: Size, is_line: bool) -> usize {
        let vertex = self.vertices.len();
        self.vertices.push(Vertex { layer, size, is_line });
        if self.layers.len() <= layer {
            self.layers.resize(layer + 1, Vec::new());
        }
        self.layers[layer].push(vertex);
        vertex
    }

    fn label(&mut self, edge: &Edge, layer: usize) -> (usize, Option<usize>) {
        match edge.label {
            Some(size) => {
                let vertex = self.add(layer, size, false);
                (vertex, Some(vertex))
            }
            None => (self.add(layer, Size::default(), true), None),
        }
    }

    /// An edge downwards: its label below the node it leaves, then the trunk of those that lead to the same node.
    fn forward(
        &mut self,
        edge: &Edge,
        ranks: &[usize],
        trunks: &mut BTreeMap<(usize, usize, usize), usize>,
    ) -> Option<usize> {
        let (top, bottom) = (ranks[edge.from] * 2, ranks[edge.to] * 2);
        let group = edge.group;
        let link = |upper, lower, head| Link { upper, lower, group, head };
        let (mut at, label) = self.label(edge, top + 1);
        self.links.push(link(edge.from, at, None));
        for layer in top + 2..bottom {
            if let Some(trunk) = trunks.get(&(edge.to, group, layer)) {
                // From here on the way is drawn.
                self.links.push(link(at, *trunk, None));
                return label;
            }
            let next = self.add(layer, Size::default(), true);
            trunks.insert((edge.to, group, layer), next);
            self.links.push(link(at, next, None));
            at = next;
        }
        self.links.push(link(at, edge.to, Some(Head::Down)));
        label
    }

    /// An edge upwards, or to its own node, on a way of its own.
    fn back(&mut self, edge: &Edge, ranks: &[usize]) -> Option<usize> {
        let (top, bottom) = (ranks[edge.to] * 2, ranks[edge.from] * 2);
        let group = edge.group;
        if top == bottom {
            // A state that follows itself: the label stands below, both ends at the node.
            let (at, label) = self.label(edge, top + 1);
            self.links.push(Link { upper: edge.from, lower: at, group, head: Some(Head::Up) });
            return label;
        }
        let mut at = edge.to;
        let mut head = Some(Head::Up);
        let mut label = None;
        for layer in top + 1..bottom {
            let next = match layer + 1 == bottom {
                true => {
                    let (vertex, found) = self.label(edge, layer);
                    label = found;
                    vertex
                }
                false => self.add(layer, Size::default(), true),
            };
            self.links.push(Link { upper: at, lower: next, group, head: head.take() });
            at = next;
        }
        self.links.push(Link { upper: at, lower: edge.from, group, head });
        label
    }

    /// Orders the layers so that few lines cross, keeping the best order seen.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for round in 0..ORDER_ROUNDS {
            let down = round % 2 == 0;
            let mut places = self.places();
            for step in 1..self.layers.len() {
                let layer = if down { step } else { self.layers.len() - 1 - step };
                let neighbours = if down { &self.above } else { &self.below };
                let mut keyed: Vec<(f64, usize)> = self.layers[layer]
                    .iter()
                    .map(|vertex| {
                        let own = places[*vertex] as f64;
                        let around = &neighbours[*vertex];
                        let sum: f64 = around.iter().map(|other| places[other.vertex] as f64).sum();
                        (if around.is_empty() { own } else { sum / around.len() as f64 }, *vertex)
                    })
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (place, (_, vertex)) in keyed.iter().enumerate() {
                    places[*vertex] = place;
                    self.layers[layer][place] = *vertex;
                }
            }
            self.exchange();
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.vertices.len()];
        for layer in &self.layers {
            for (place, vertex) in layer.iter().enumerate() {
                places[*vertex] = place;
            }
        }
        places
    }

    /// Exchanges neighbours where fewer lines cross then.
    fn exchange(&mut self) {
        let mut places = self.places();
        for layer in 0..self.layers.len() {
            for at in 1..self.layers[layer].len() {
                let (left, right) = (self.layers[layer][at - 1], self.layers[layer][at]);
                let crossed = |a: usize, b: usize| {
                    [&self.above, &self.below].into_iter().map(|all| crossed(&all[a], &all[b], &places)).sum::<usize>()
                };
                if crossed(right, left) < crossed(left, right) {
                    self.layers[layer].swap(at - 1, at);
                    places.swap(left, right);
                }
            }
        }
    }

    fn crossings(&self) -> usize {
        let places = self.places();
        let of_layer = |layer: &Vec<usize>| {
            let mut count = 0;
            for (at, left) in layer.iter().enumerate() {
                for right in &layer[at + 1..] {
                    count += crossed(&self.below[*left], &self.below[*right], &places);
                }
            }
            count
        };
        self.layers.iter().map(of_layer).sum()
    }

    /// The x of every vertex's centre: near its neighbours, far enough from those beside it.
    fn straighten(&self) -> Vec<f64> {
        let mut x = vec![0.0; self.vertices.len()];
        for layer in &self.layers {
            let mut right = 0.0;
            let mut before = None;
            for vertex in layer {
                right += before.map_or(0.0, |before| self.distance(before, *vertex));
                x[*vertex] = right;
                before = Some(*vertex);
            }
        }
        for round in 0..STRAIGHTEN_ROUNDS {
            // At first from above and from below by turns, at last from both sides.
            let (above, below) = match round {
                _ if round + BOTH_SIDES >= STRAIGHTEN_ROUNDS => (true, true),
                _ => (round % 2 == 0, round % 2 == 1),
            };
            for step in 0..self.layers.len() {
                let layer = if round % 2 == 0 { step } else { self.layers.len() - 1 - step };
                self.settle(&self.layers[layer], above, below, &mut x);
            }
        }
        x
    }

    fn distance(&self, left: usize, right: usize) -> f64 {
        let (left, right) = (self.vertices[left], self.vertices[right]);
        let between = if left.is_line && right.is_line { BETWEEN_LINES } else { BETWEEN_NODES };
        left.size.width / 2.0 + between + right.size.width / 2.0
    }

    /// Moves the vertices of a layer as near to where their neighbours want them as their order allows: the least squares
    /// under the distances, found by merging those that would overlap.
    fn settle(&self, layer: &[usize], above: bool, below: bool, x: &mut [f64]) {
        // Blocks of vertices that touch: the wanted place of the first, its weight, how many they are.
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        let mut offsets = Vec::with_capacity(layer.len());
        let mut offset = 0.0;
        for (at, vertex) in layer.iter().enumerate() {
            if at > 0 {
                offset += self.distance(layer[at - 1], *vertex);
            }
            offsets.push(offset);
            let (mut sum, mut weight) = (0.0, 0.0);
            for (used, all) in [(above, &self.above), (below, &self.below)] {
                for other in all[*vertex].iter().filter(|_| used) {
                    sum += other.pull * x[other.vertex];
                    weight += other.pull;
                }
            }
            let (wanted, weight) = if weight > 0.0 { (sum / weight, weight) } else { (x[*vertex], 0.05) };
            blocks.push((wanted - offset, weight, 1));
            while let [.., left, right] = blocks.as_slice()
                && left.0 > right.0
            {
                let weight = left.1 + right.1;
                let merged = ((left.0 * left.1 + right.0 * right.1) / weight, weight, left.2 + right.2);
                blocks.truncate(blocks.len() - 2);
                blocks.push(merged);
            }
        }
        let mut at = 0;
        for (start, _, count) in blocks {
            for _ in 0..count {
                x[layer[at]] = start + offsets[at];
                at += 1;
            }
        }
    }

    fn place(&self, nodes: usize, x: &[f64]) -> Placed {
        let left = self.vertices.iter().zip(x).map(|(v, x)| x - v.size.width / 2.0).fold(f64::INFINITY, f64::min);
        let right = self.vertices.iter().zip(x).map(|(v, x)| x + v.size.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
        let mut tops = Vec::with_capacity(self.layers.len());
        let mut y = 0.0;
        for layer in &self.layers {
            let height = layer.iter().map(|vertex| self.vertices[*vertex].size.height).fold(0.0, f64::max);
            tops.push((y, height));
            y += height + BETWEEN_LAYERS;
        }
        let size = Size { width: (right - left).max(0.0), height: (y - BETWEEN_LAYERS).max(0.0) };
        let centre = |vertex: usize| {
            let (top, height) = tops[self.vertices[vertex].layer];
            (x[vertex] - left, top + height / 2.0)
        };
        // A line goes straight through its layer, however high its neighbours are.
        let height = |vertex: usize| match self.vertices[vertex] {
            Vertex { layer, is_line: true, .. } => tops[layer].1,
            Vertex { size, .. } => size.height,
        };
        let mut segments = Vec::with_capacity(self.links.len() * 2);
        let (leaving, arriving) = self.ports(x);
        let mut through = vec![false; self.vertices.len()];
        for (n, link) in self.links.iter().enumerate() {
            let (upper, lower) = (centre(link.upper), centre(link.lower));
            let from = (upper.0 + leaving[n], upper.1 + height(link.upper) / 2.0);
            let to = (lower.0 + arriving[n], lower.1 - height(link.lower) / 2.0);
            segments.push(Segment { from, to, group: link.group, head: link.head });
            let (vertex, half) = (link.upper, height(link.upper) / 2.0);
            if self.vertices[vertex].is_line && half > 0.0 && !through[vertex] {
                through[vertex] = true;
                let (top, bottom) = ((upper.0, upper.1 - half), (upper.0, upper.1 + half));
                segments.push(Segment { from: top, to: bottom, group: link.group, head: None });
            }
        }
        Placed {
            size,
            nodes: (0..nodes).map(centre).collect(),
            labels: self.labels.iter().map(|label| label.map(centre)).collect(),
            segments,
        }
    }

    /// How far from the centre of its node each link leaves, and arrives: side by side, in the order of where they go.
    fn ports(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let spread = |ends: &dyn Fn(&Link) -> (usize, usize)| {
            let mut offsets = vec![0.0; self.links.len()];
            let mut of: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
            for (n, link) in self.links.iter().enumerate() {
                let (node, other) = ends(link);
                if !self.vertices[node].is_line {
                    of.entry(node).or_default().push((x[other], n));
                }
            }
            for (node, mut links) in of {
                links.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let between = (self.vertices[node].size.width / (links.len() as f64 + 1.0)).min(26.0);
                let middle = (links.len() as f64 - 1.0) / 2.0;
                for (at, (_, n)) in links.iter().enumerate() {
                    offsets[*n] = (at as f64 - middle) * between;
                }
            }
            offsets
        };
        (spread(&|link| (link.upper, link.lower)), spread(&|link| (link.lower, link.upper)))
    }
}

/// How many of the lines to these neighbours cross, the first vertex being left of the second.
fn crossed(left: &[Neighbour], right: &[Neighbour], places: &[usize]) -> usize {
    left.iter().map(|a| right.iter().filter(|b| places[b.vertex] < places[a.vertex]).count()).sum()
}
