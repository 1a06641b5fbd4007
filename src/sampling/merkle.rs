//! The pool root: a Merkle tree with blinded leaves (`risktier-draw/1` section 1; RFC 6962 split).
//!
//! The root fixes the pool before the draw. A membership proof shows that an id belongs to it without its stratum; an
//! enterprise may be shown its own row by salt, and nobody else's.

use serde::{Deserialize, Serialize};

use super::pool::Pool;
use crate::domain::digest::{Digest, HashAlgorithm, Secret32};
use crate::domain::parallel::{beside, map_chunks};

/// Leaves hashed in one piece by one thread. A power of two, so that each piece is a complete subtree.
const CHUNK: usize = 1 << 14;

/// On which side of the path a sibling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The sibling is the left part.
    L,
    /// The sibling is the right part.
    R,
}

/// Shows that an id belongs to a pool, without its stratum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipProof {
    /// The object's id.
    pub id: String,
    /// The blinded row, `H(salt ‖ stratum TAB size)`.
    pub blind: Digest,
    /// The siblings from the leaf up, each with the side on which it stands.
    pub path: Vec<(Side, Digest)>,
}

impl MembershipProof {
    /// Whether the proof leads to this root.
    #[must_use]
    pub fn leads_to(&self, algorithm: HashAlgorithm, root: &Digest) -> bool {
        let leaf = leaf(algorithm, self.id.as_bytes(), &self.blind);
        let top = self
            .path
            .iter()
            .fold(leaf, |here, (side, sibling)| match side {
                Side::L => node(algorithm, sibling, &here),
                Side::R => node(algorithm, &here, sibling),
            });
        top == *root
    }
}

/// An object's own row, for the enterprise itself: with the salt the stratum and size can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRow {
    /// The object's id.
    pub id: String,
    /// The stratum it stood in.
    pub stratum: String,
    /// Its size measure.
    pub size: u32,
    /// `H(pool_secret ‖ id)`.
    pub salt: Digest,
}

impl OwnRow {
    /// Whether this row is the one behind the proof, and the proof leads to the root.
    #[must_use]
    pub fn matches(
        &self,
        algorithm: HashAlgorithm,
        proof: &MembershipProof,
        root: &Digest,
    ) -> bool {
        let row = format!("{}\t{}", self.stratum, self.size);
        proof.id == self.id
            && proof.blind == blind(algorithm, &self.salt, row.as_bytes())
            && proof.leads_to(algorithm, root)
    }
}

/// `salt = H(pool_secret ‖ id)`.
#[must_use]
pub fn salt(algorithm: HashAlgorithm, secret: &Secret32, id: &str) -> Digest {
    algorithm.hash(&[secret.expose_bytes(), id.as_bytes()])
}

/// `blind = H(salt ‖ stratum TAB size)`, the row given as it stands in the pool file.
fn blind(algorithm: HashAlgorithm, salt: &Digest, row: &[u8]) -> Digest {
    algorithm.hash(&[salt.as_bytes(), row])
}

/// `leaf = H(0x00 ‖ id ‖ 0x00 ‖ blind)`.
fn leaf(algorithm: HashAlgorithm, id: &[u8], blind: &Digest) -> Digest {
    algorithm.hash(&[&[0], id, &[0], blind.as_bytes()])
}

/// `node = H(0x01 ‖ left ‖ right)`.
fn node(algorithm: HashAlgorithm, left: &Digest, right: &Digest) -> Digest {
    algorithm.hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

fn blind_at(algorithm: HashAlgorithm, secret: &Secret32, pool: &Pool, index: usize) -> Digest {
    let salt = algorithm.hash(&[secret.expose_bytes(), pool.id_bytes(index)]);
    blind(algorithm, &salt, pool.row_bytes(index))
}

fn leaf_at(algorithm: HashAlgorithm, secret: &Secret32, pool: &Pool, index: usize) -> Digest {
    leaf(
        algorithm,
        pool.id_bytes(index),
        &blind_at(algorithm, secret, pool, index),
    )
}

/// One level up: neighbours are joined, a last one without neighbour rises as it is. Repeated to the top this is the
/// RFC 6962 tree, because the left part then always holds the largest power of two smaller than the count.
fn parents(algorithm: HashAlgorithm, level: &[Digest]) -> Vec<Digest> {
    let join = |pair: &[Digest]| match pair {
        [left, right] => Some(node(algorithm, left, right)),
        [alone] => Some(*alone),
        _ => None,
    };
    level.chunks(2).filter_map(join).collect()
}

/// The root over leaves in order; `None` without leaves.
#[must_use]
pub fn root_of_leaves(algorithm: HashAlgorithm, leaves: &[Digest]) -> Option<Digest> {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(algorithm, &level);
    }
    level.first().copied()
}

/// The pool root. Holds one digest per 16,384 objects, not one per object.
#[must_use]
pub fn pool_root(algorithm: HashAlgorithm, secret: &Secret32, pool: &Pool) -> Digest {
    let tops = map_chunks(pool.len(), CHUNK, |range| {
        let leaves: Vec<Digest> = range
            .map(|index| leaf_at(algorithm, secret, pool, index))
            .collect();
        root_of_leaves(algorithm, &leaves)
    });
    let tops: Vec<Digest> = tops.into_iter().flatten().collect();
    // INVARIANT: a pool has at least one object, so there is at least one top.
    root_of_leaves(algorithm, &tops).unwrap_or(Digest::from_bytes([0; 32]))
}

/// Pool digest and pool root, what a freeze publishes of a pool: one hash runs over the whole file, and meanwhile the other
/// cores hash its objects.
#[must_use]
pub fn pool_commitments(
    algorithm: HashAlgorithm,
    secret: &Secret32,
    pool: &Pool,
) -> (Digest, Digest) {
    beside(
        || pool.digest(algorithm),
        || pool_root(algorithm, secret, pool),
    )
}

/// The membership proof of the object at an index of the pool, and the row that it may be shown about itself; `None` where
/// there is no such object. Hashes the whole pool, but holds no more than [`pool_root`] does.
#[must_use]
pub fn prove_member(
    algorithm: HashAlgorithm,
    secret: &Secret32,
    pool: &Pool,
    index: usize,
) -> Option<(MembershipProof, OwnRow)> {
    let object = pool.object(index)?;
    let here = index / CHUNK;
    let pieces = map_chunks(pool.len(), CHUNK, |range| {
        let is_here = range.start / CHUNK == here;
        let leaves: Vec<Digest> = range
            .map(|index| leaf_at(algorithm, secret, pool, index))
            .collect();
        let top = root_of_leaves(algorithm, &leaves);
        (top, is_here.then_some(leaves))
    });
    let mut tops = Vec::with_capacity(pieces.len());
    let mut leaves = Vec::new();
    for (top, of_here) in pieces {
        tops.extend(top);
        leaves.extend(of_here.unwrap_or_default());
    }
    // Within the piece, then above it: a piece that ends early rises as it is, as a node without neighbour does.
    let mut path = path_of(algorithm, leaves, index % CHUNK);
    path.extend(path_of(algorithm, tops, here));
    let id = object.id.to_owned();
    let row = OwnRow {
        id: id.clone(),
        stratum: object.stratum.to_string(),
        size: object.size,
        salt: salt(algorithm, secret, object.id),
    };
    let blind = blind_at(algorithm, secret, pool, index);
    Some((MembershipProof { id, blind, path }, row))
}

/// The siblings from a position of a level up to the single node over it.
fn path_of(
    algorithm: HashAlgorithm,
    mut level: Vec<Digest>,
    mut position: usize,
) -> Vec<(Side, Digest)> {
    let mut path = Vec::new();
    while level.len() > 1 {
        path.extend(sibling(&level, position));
        position /= 2;
        level = parents(algorithm, &level);
    }
    path
}

/// The node beside a position, with its side; a last one alone has none.
fn sibling(level: &[Digest], position: usize) -> Option<(Side, Digest)> {
    let side = if position.is_multiple_of(2) {
        Side::R
    } else {
        Side::L
    };
    level.get(position ^ 1).map(|sibling| (side, *sibling))
}

/// The whole tree over a pool, for membership proofs. Takes 64 bytes per object while it lives.
#[derive(Debug)]
pub struct PoolTree<'a> {
    algorithm: HashAlgorithm,
    secret: &'a Secret32,
    pool: &'a Pool,
    /// From the leaves to the root.
    levels: Vec<Vec<Digest>>,
}

impl<'a> PoolTree<'a> {
    /// Hashes every row of the pool.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm, secret: &'a Secret32, pool: &'a Pool) -> Self {
        let leaves = map_chunks(pool.len(), CHUNK, |range| {
            range
                .map(|index| leaf_at(algorithm, secret, pool, index))
                .collect::<Vec<_>>()
        });
        let mut levels = Vec::new();
        let mut level = leaves.concat();
        while level.len() > 1 {
            let above = parents(algorithm, &level);
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Self {
            algorithm,
            secret,
            pool,
            levels,
        }
    }

    /// The pool root.
    #[must_use]
    pub fn root(&self) -> Digest {
        // INVARIANT: the last level holds exactly the root.
        self.levels
            .last()
            .and_then(|top| top.first())
            .copied()
            .unwrap_or(Digest::from_bytes([0; 32]))
    }

    /// The membership proof of the object at an index of the pool, if there is one.
    #[must_use]
    pub fn proof(&self, index: usize) -> Option<MembershipProof> {
        let object = self.pool.object(index)?;
        let mut path = Vec::new();
        let mut position = index;
        for level in &self.levels {
            path.extend(sibling(level, position));
            position /= 2;
        }
        let blind = blind_at(self.algorithm, self.secret, self.pool, index);
        Some(MembershipProof {
            id: object.id.to_owned(),
            blind,
            path,
        })
    }

    /// The row that the object at this index may be shown about itself, if there is one.
    #[must_use]
    pub fn own_row(&self, index: usize) -> Option<OwnRow> {
        let object = self.pool.object(index)?;
        Some(OwnRow {
            id: object.id.to_owned(),
            stratum: object.stratum.to_string(),
            size: object.size,
            salt: salt(self.algorithm, self.secret, object.id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::pool::{PoolBuilder, StratumKey};

    fn pool_of(count: usize) -> Pool {
        let key = StratumKey::new("S001").unwrap();
        let mut builder = PoolBuilder::new();
        for number in 0..count {
            builder.push(&format!("id{number:06}"), &key, 1).unwrap();
        }
        builder.build().unwrap()
    }

    /// The definition of RFC 6962, literally.
    fn by_definition(algorithm: HashAlgorithm, leaves: &[Digest]) -> Digest {
        if let [leaf] = leaves {
            return *leaf;
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        node(
            algorithm,
            &by_definition(algorithm, left),
            &by_definition(algorithm, right),
        )
    }

    #[test]
    fn joining_neighbours_gives_the_tree_of_the_definition() {
        let leaves: Vec<Digest> = (0..70_u8)
            .map(|n| HashAlgorithm::Sha256.hash(&[&[n]]))
            .collect();

        for count in 1..=leaves.len() {
            let expected = by_definition(HashAlgorithm::Sha256, &leaves[..count]);
            assert_eq!(
                root_of_leaves(HashAlgorithm::Sha256, &leaves[..count]),
                Some(expected)
            );
        }
        assert_eq!(root_of_leaves(HashAlgorithm::Sha256, &[]), None);
    }

    #[test]
    fn every_object_proves_its_membership_and_its_row() {
        let secret = Secret32::from_bytes([9; 32]);
        for count in [1, 2, 3, 7, 33] {
            let pool = pool_of(count);
            let root = pool_root(HashAlgorithm::Sm3, &secret, &pool);
            let tree = PoolTree::new(HashAlgorithm::Sm3, &secret, &pool);
            assert_eq!(tree.root(), root);
            for index in 0..count {
                let proof = tree.proof(index).unwrap();
                let mut row = tree.own_row(index).unwrap();
                assert!(row.matches(HashAlgorithm::Sm3, &proof, &root));
                row.size = 2;
                assert!(!row.matches(HashAlgorithm::Sm3, &proof, &root));
            }
            assert!(tree.proof(count).is_none());
        }
    }

    #[test]
    fn a_single_proof_is_that_of_the_whole_tree() {
        let secret = Secret32::from_bytes([3; 32]);
        for count in [1, 2, 5, CHUNK, CHUNK + 1, 2 * CHUNK + 5] {
            let pool = pool_of(count);
            let tree = PoolTree::new(HashAlgorithm::Sha256, &secret, &pool);
            for index in [0, count / 2, count - 1] {
                let (proof, row) =
                    prove_member(HashAlgorithm::Sha256, &secret, &pool, index).unwrap();
                assert_eq!(Some(&proof), tree.proof(index).as_ref());
                assert_eq!(Some(&row), tree.own_row(index).as_ref());
                assert!(row.matches(HashAlgorithm::Sha256, &proof, &tree.root()));
            }
            assert!(prove_member(HashAlgorithm::Sha256, &secret, &pool, count).is_none());
        }
    }

    #[test]
    fn pieces_join_to_the_same_root_as_the_whole() {
        let secret = Secret32::from_bytes([3; 32]);
        let pool = pool_of(2 * CHUNK + 5);

        let root = pool_root(HashAlgorithm::Sha256, &secret, &pool);

        assert_eq!(
            PoolTree::new(HashAlgorithm::Sha256, &secret, &pool).root(),
            root
        );
    }

    #[test]
    fn a_changed_id_does_not_lead_to_the_root() {
        let secret = Secret32::from_bytes([9; 32]);
        let pool = pool_of(5);
        let tree = PoolTree::new(HashAlgorithm::Sha256, &secret, &pool);
        let mut proof = tree.proof(2).unwrap();

        proof.id.push('x');

        assert!(!proof.leads_to(HashAlgorithm::Sha256, &tree.root()));
    }
}
